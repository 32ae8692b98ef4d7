"""The child process that sets a page: reads a job folder, writes `out.pdf` or `error.json` there.

Run by file (`python -I typeset.py FOLDER`), so that it imports the typesetter and nothing else.
"""

import json
import resource
import sys
from pathlib import Path

import typst

MEMORY_BYTES = 4 * 1024**3  # far above the 200 MB a contract takes; a runaway page ends here


def main(folder: Path) -> int:
    """Set the job's main file; return 0 when `out.pdf` is written."""
    job = json.loads((folder / "job.json").read_text("utf-8"))
    compiler = typst.Compiler(
        input=str(folder / job["main"]),
        root=str(folder),
        font_paths=[job["fonts"]],
        ignore_system_fonts=True,
        sys_inputs=job["inputs"],
        package_path=str(folder / "none"),
        package_cache_path=str(folder / "none"),
    )
    try:
        pdf = compiler.compile(
            format="pdf", pdf_standards=job["standard"], timestamp=job["timestamp"]
        )
    except typst.TypstError as error:
        (folder / "error.json").write_text(json.dumps({"message": str(error)}), "utf-8")
        return 3
    if not isinstance(pdf, bytes):
        return 4
    (folder / "out.pdf").write_bytes(pdf)
    return 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    sys.exit(main(Path(sys.argv[1])))
