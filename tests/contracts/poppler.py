"""poppler-utils in tests: a program nobody here wrote that reads the same PDF."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def poppler(program: str, *arguments: str | Path) -> str:
    """Run a program of poppler-utils; without it the test is skipped, in CI it fails."""
    if shutil.which(program) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} (poppler-utils) must be installed in CI")
        pytest.skip(f"{program} (poppler-utils) is not installed on this machine")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
