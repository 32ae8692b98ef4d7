"""The files of the chain of title, in the folder of objects that all machines share."""

import os
from pathlib import Path
from uuid import UUID


class DocumentFiles:
    """The folder of documents; each is one file below its work's, whole or not there."""

    def __init__(self, objects: Path) -> None:
        """Use (and on first write make) the folder under `objects`."""
        self.folder = objects / "documents"

    def path(self, work_id: UUID, document_id: UUID) -> Path:
        """Return where the file of a document is."""
        return self.folder / str(work_id) / str(document_id)

    def write(self, work_id: UUID, document_id: UUID, content: bytes) -> None:
        """Put a file in its place; durable on return, and never seen in part."""
        path = self.path(work_id, document_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
