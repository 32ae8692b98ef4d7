"""What the demo's parties keep on their own side: ids, passwords, API keys, private keys.

Every id is derived from one seed, so that a trade which was interrupted goes on where it stopped:
the same request with the same id gets the first answer.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5


class State:
    """A JSON file, readable by its owner alone, written whole after every change."""

    def __init__(self, path: Path) -> None:
        """Read the file, or begin a new one with a fresh seed."""
        self.path = path
        self.values: dict[str, Any] = {}
        if path.exists():
            self.values = json.loads(path.read_text(encoding="utf-8"))
        else:
            self.put("seed", str(UUID(bytes=secrets.token_bytes(16), version=4)))

    def id(self, name: str) -> UUID:
        """Return the id of the thing called `name` in this trade."""
        return uuid5(UUID(self.values["seed"]), name)

    def get(self, name: str) -> Any:
        """Return what was kept under the name, or None."""
        return self.values.get(name)

    def put(self, name: str, value: Any) -> Any:
        """Keep a plain JSON value, on disk before it is used."""
        self.values[name] = value
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(".tmp")
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(self.values, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self.path)
        return value

    def keep(self, name: str, value: Any) -> Any:
        """Return what was kept under the name; keep `value` when nothing was."""
        found = self.get(name)
        return self.put(name, value) if found is None else found
