"""Witnesses as processes of their own, reached over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from contracts.log.note import Verifier
from contracts.log.witness_folder import WitnessFolder

# In place of the step after the memory is on the disk; the process dies as by `kill -9`.
DIES_BEFORE_IT_SIGNS = (
    "import os, sys; from contracts.log.cosignature import CosignatureSigner; "
    "CosignatureSigner.cosign = lambda *_, **__: os.kill(os.getpid(), 9); "
)
DIES_BEFORE_IT_REMEMBERS = (
    "import os, sys; from pathlib import Path; Path.rename = lambda *_: os.kill(os.getpid(), 9); "
)


@dataclass
class Running:
    """A witness and its process."""

    folder: Path
    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def opened(self) -> WitnessFolder:
        return WitnessFolder.open(self.folder)

    def line(self, name: str) -> str:
        return f"witness {name} {self.opened.signer.cosigner.vkey} {self.url}\n"

    def start(self, patch: str = "", *, port: int | None = None) -> None:
        """Serve; a second process may serve the same folder on another port."""
        program = f"{patch}from exchange.witness_cli import main; main()"
        served = port or self.port
        command = [sys.executable, "-c", program, "serve", "--dir", str(self.folder)]
        started = subprocess.Popen(
            [*command, "--port", str(served)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.processes.append(started)
        for _attempt in range(600):
            try:
                httpx.get(f"http://127.0.0.1:{served}/", timeout=5).raise_for_status()
                return
            except httpx.TransportError:
                assert started.poll() is None, "the witness has ended"
                time.sleep(0.05)
        raise AssertionError("the witness does not answer")

    def stop(self) -> None:
        """Kill whatever runs, as `kill -9` does."""
        for process in self.processes:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    def post(self, body: bytes, *, port: int | None = None) -> httpx.Response:
        url = f"http://127.0.0.1:{port or self.port}/add-checkpoint"
        return httpx.post(url, content=body, timeout=20)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def a_witness(folder: Path, name: str, *logs: Verifier) -> Running:
    WitnessFolder.init(folder, name=name, logs=logs)
    return Running(folder, free_port())
