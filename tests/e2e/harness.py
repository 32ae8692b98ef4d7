"""A whole exchange of its own: home, ports, processes."""

import io
import os
import signal
import socket
from pathlib import Path

import psutil
from rich.console import Console

from exchange.demo.cast import Cast
from exchange.demo.processes import Processes
from exchange.demo.state import State
from exchange.settings import Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def own_settings(home: Path) -> Settings:
    return Settings(home=home, port=free_port(), stripe_api_base=f"http://127.0.0.1:{free_port()}")


def environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        "EXCHANGE_HOME": str(settings.home),
        "EXCHANGE_PORT": str(settings.port),
        "EXCHANGE_STRIPE_API_BASE": settings.stripe_api_base,
    }


def own_cast(settings: Settings) -> Cast:
    return Cast(settings.public_url, State(settings.home / "demo" / "trade.json"))


def quiet() -> Console:
    return Console(file=io.StringIO(), width=120)


def kill(processes: Processes, name: str) -> None:
    """kill -9 one of our own children, with its children."""
    process = psutil.Process(processes.running[name].pid)
    for child in [*process.children(recursive=True), process]:
        child.kill()


def kill_postgres(home: Path) -> None:
    """kill -9 the postmaster of this home's own embedded PostgreSQL."""
    pid = int((home / "pg" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
