"""The child process that sets a page: reads a job folder, writes `out.pdf` or `error.json` there.

Run by file (`python -I typeset.py FOLDER`), so that it imports the typesetter and nothing else.
What it may use up is bounded before it sets anything, so that no page outgrows its limits.
"""

import json
import resource
import sys
from pathlib import Path

import typst

FILE_BYTES = 64 * 1024**2  # a contract has some 100 kB


def main(folder: Path) -> int:
    """Set the job's main file; return 0 when `out.pdf` is written."""
    job = json.loads((folder / "job.json").read_text("utf-8"))
    bound(job["memory_bytes"], job["cpu_s"])
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


def bound(memory_bytes: int, cpu_s: int) -> None:
    """Let this process use no more than that, and write no large file."""
    for limit, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
