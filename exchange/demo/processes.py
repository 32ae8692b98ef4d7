"""The demo's processes: started, watched, started again when they die, stopped in order."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from contracts.refusal import Kind, Refusal
from exchange.settings import PLACEHOLDERS, Settings

STOP_WITHIN_S = 8
WATCH_EVERY_S = 0.3
ANSWER_TRIES = 900  # a tenth of a second each: a busy machine takes long to import


class PortTaken(Refusal):
    """Another program listens where the exchange wants to."""

    kind, code = Kind.UNAVAILABLE, "port-taken"
    hint = "Stop the other program, or set EXCHANGE_PORT (and EXCHANGE_STRIPE_API_BASE)."


@dataclass
class Processes:
    """The children of one demo, by name; each writes to its own file under `<home>/log`."""

    settings: Settings
    workers: int = 1
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    restarts: int = 0
    _watch: asyncio.Task[None] | None = None

    def stop_orphans(self) -> None:
        """Stop what an earlier demo of this home left running when it was killed itself."""
        with suppress(FileNotFoundError):
            left = {name: _alive(*one) for name, one in json.loads(self._list.read_text()).items()}
            if left.pop("demo", None) is not None:
                return  # it serves still; the taken port will be told
            for orphan in filter(None, left.values()):
                orphan.terminate()
                orphan.wait(STOP_WITHIN_S)

    async def start(self) -> None:
        """Start payments stand-in (when configured), API and workers; return when they answer."""
        for name, command in self._commands().items():
            self._spawn(name, command)
        await self._answers(self.settings.public_url + "/healthz")
        if self.settings.stripe_is_standin:
            await self._answers(self.settings.stripe_api_base + "/_standin")
        self._watch = asyncio.create_task(self._keep_running())

    async def stop(self) -> None:
        """Stop the children we started, workers first; kill what does not stop."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        for name in reversed(list(self.running)):
            self.running[name].send_signal(signal.SIGTERM)
        await asyncio.to_thread(self._reap)

    def check_ports(self) -> None:
        """Refuse when somebody else listens on our ports.

        Raises:
            PortTaken: naming the address.
        """
        addresses = [(self.settings.host, self.settings.port)]
        if self.settings.stripe_is_standin:
            parts = urlsplit(self.settings.stripe_api_base)
            addresses.append((parts.hostname or "", parts.port or 80))
        for host, port in addresses:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex((host, port)) == 0:
                    raise PortTaken(f"Something already listens on {host}:{port}.", port=port)

    def _commands(self) -> dict[str, list[str]]:
        commands: dict[str, list[str]] = {}
        settings = self.settings
        if settings.stripe_is_standin:
            commands["standin"] = [
                "-m", "exchange.standins.stripe",
                "--port", str(urlsplit(settings.stripe_api_base).port or 80),
                "--state", str(settings.home / "standin.sqlite"),
                "--webhook-url", f"{settings.public_url}/v1/stripe/webhooks",
                "--webhook-secret", _standin_secret(settings),
            ]  # fmt: skip
        commands["serve"] = ["-m", "exchange", "serve"]
        for number in range(1, self.workers + 1):
            commands[f"work-{number}"] = ["-m", "exchange", "work"]
        return commands

    def _spawn(self, name: str, command: list[str]) -> None:
        folder = self.settings.home / "log"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603 - our own modules.
                [sys.executable, *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C reaches us alone; we stop them in order
            )
        self._note()

    @property
    def _list(self) -> Path:
        return self.settings.home / "log" / "running.json"

    def _note(self) -> None:
        """Write down who runs, for the demo that comes after a killed one."""
        born = {}
        pids = {"demo": os.getpid()} | {name: one.pid for name, one in self.running.items()}
        for name, pid in pids.items():
            with suppress(psutil.Error):
                born[name] = [pid, psutil.Process(pid).create_time()]
        self._list.write_text(json.dumps(born))

    def _environment(self) -> dict[str, str]:
        settings = self.settings
        return {
            **os.environ,
            "EXCHANGE_HOME": str(settings.home),
            "EXCHANGE_HOST": settings.host,
            "EXCHANGE_PORT": str(settings.port),
            "EXCHANGE_STRIPE_API_BASE": settings.stripe_api_base,
        }

    async def _keep_running(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            for name, command in self._commands().items():
                if self.running[name].poll() is not None:
                    self.restarts += 1
                    self._spawn(name, command)

    async def _answers(self, url: str) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            for _ in range(ANSWER_TRIES):
                with suppress(httpx.TransportError):
                    if (await client.get(url)).is_success:
                        return
                self._complain_if_dead()
                await asyncio.sleep(0.1)
        raise TimeoutError(f"{url} does not answer; see {self.settings.home / 'log'}")

    def _complain_if_dead(self) -> None:
        for name, process in self.running.items():
            if process.poll() is not None:
                tail = (self.settings.home / "log" / f"{name}.log").read_text(errors="replace")[
                    -2000:
                ]
                raise RuntimeError(f"{name} ended with status {process.returncode}:\n{tail}")

    def _reap(self) -> None:
        for process in self.running.values():
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._list.unlink(missing_ok=True)


def _alive(pid: int, born: float) -> psutil.Process | None:
    """Return the process, unless it has gone and the number is another's by now."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _standin_secret(settings: Settings) -> str:
    """Return the stand-in's webhook secret; a real secret never goes on a command line."""
    secret = settings.stripe_webhook_secret.get_secret_value()
    if secret not in PLACEHOLDERS:
        raise RuntimeError("a real webhook secret is set, but payments point at a local stand-in")
    return secret
