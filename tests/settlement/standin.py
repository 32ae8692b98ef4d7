"""A running Stripe stand-in for tests: its own process, its own file, a free port on loopback."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import stripe

WEBHOOK_SECRET = "whsec_standin"
API_KEY = "sk_test_standin"
PUBLISHABLE_KEY = "pk_test_standin"


@contextmanager
def running_standin(
    tmp_path: Path,
    webhook_url: str | None = None,
    *,
    port: int | None = None,
    extra: tuple[str, ...] = (),
) -> Iterator[str]:
    """Start the stand-in on `tmp_path`/standin.sqlite; yield its base URL; kill it at the end.

    Entering again with the same `tmp_path` continues with the same books.
    """
    port = port or free_port()
    process = start(tmp_path, port=port, webhook_url=webhook_url, extra=extra)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def start(
    tmp_path: Path, *, port: int, webhook_url: str | None = None, extra: tuple[str, ...] = ()
) -> subprocess.Popen[bytes]:
    """Start the process and wait until it answers."""
    command = [
        sys.executable, "-m", "exchange.standins.stripe", "--port", str(port),
        "--state", str(tmp_path / "standin.sqlite"), "--webhook-secret", WEBHOOK_SECRET, *extra,
    ]  # fmt: skip
    if webhook_url is not None:
        command += ["--webhook-url", webhook_url]
    process = subprocess.Popen(command)
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/_standin", trust_env=False)
            return process
        except httpx.TransportError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    process.kill()
    raise RuntimeError("the Stripe stand-in did not start")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client(base_url: str, *, api_key: str = API_KEY) -> stripe.StripeClient:
    """Return the real SDK's asynchronous client, pointed at the stand-in."""
    return stripe.StripeClient(
        api_key,
        base_addresses={"api": base_url},
        http_client=stripe.HTTPXClient(),
        max_network_retries=0,
    )
