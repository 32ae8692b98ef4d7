"""A generator of bids for benchmarks: keep-alive connections on raw sockets, one thread.

It sends the next bid on a connection as soon as that connection's answer is whole, as clients do
that wait for their answer. Amounts are drawn from one counter as bids are sent, so that bids rise
in the order of sending. What it costs itself is measured beside what it measures.
"""

import json
import resource
import secrets
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

RECEIVE = 65_536


@dataclass(slots=True)
class Connection:
    """One keep-alive connection and the bid it waits for."""

    link: socket.socket
    key: str
    port: int
    sent_s: float = 0.0
    due_s: float = 0.0
    bid: str = ""
    amount: int = 0
    got: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class Answer:
    """What one bid was answered."""

    status: int
    sent_s: float
    took_s: float
    bid: str
    amount: int
    body: bytes


class Load:
    """Bids against one or more servers."""

    def __init__(self, plan: dict[str, object]) -> None:
        """Connect; `plan` names ports, keys, connections, path, floor, step and body."""
        self.plan = plan
        self.answers: list[Answer] = []
        self._amount = int(str(plan["floor_minor"]))
        self._step = int(str(plan["step_minor"]))
        self._selector = selectors.DefaultSelector()
        self._prefix = secrets.token_hex(4)
        self._number = 0
        ports, keys = list(plan["ports"]), list(plan["keys"])
        self.connections = [
            self._connect(ports[place % len(ports)], keys[place % len(keys)])
            for place in range(int(str(plan["connections"])))
        ]

    def run(self, seconds: float) -> float:
        """Send for so long; return how long it took until the last answer was in."""
        begun = time.monotonic()
        end, waiting = begun + seconds, 0
        for connection in self.connections:
            self._send(connection)
            waiting += 1
        while waiting:
            for key, _ in self._selector.select(30):
                connection = key.data
                if not self._receive(connection):
                    continue
                waiting -= 1
                if time.monotonic() < end:
                    self._send(connection)
                    waiting += 1
        return time.monotonic() - begun

    def _connect(self, port: int, key: str) -> Connection:
        link = socket.create_connection(("127.0.0.1", port), 10)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made = Connection(link, key, port)
        self._selector.register(link, selectors.EVENT_READ, made)
        return made

    def _send(self, connection: Connection) -> None:
        self._number += 1
        connection.bid = f"{self._prefix}-0000-7000-8000-{self._number:012x}"
        connection.amount = self._amount
        self._amount += self._step
        body = b'{"amount_minor":%d,"currency":"CNY"}' % connection.amount
        connection.sent_s = time.monotonic()
        connection.link.sendall(
            b"PUT %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (
                str(self.plan["path"]).format(bid=connection.bid).encode(),
                connection.key.encode(),
                len(body),
                body,
            )
        )

    def _receive(self, connection: Connection) -> bool:
        """Take what has come; tell whether the answer is whole."""
        got = connection.link.recv(RECEIVE)
        if not got:
            raise ConnectionError("the server closed a connection")
        connection.got += got
        head = connection.got.find(b"\r\n\r\n")
        if head < 0:
            return False
        found = connection.got.lower().find(b"content-length:", 0, head)
        length = int(connection.got[found + 15 : connection.got.find(b"\r", found)])
        if len(connection.got) < head + 4 + length:
            return False
        now = time.monotonic()
        self.answers.append(
            Answer(
                int(connection.got[9:12]),
                connection.sent_s,
                now - connection.sent_s,
                connection.bid,
                connection.amount,
                bytes(connection.got[head + 4 :]),
            )
        )
        connection.got.clear()
        return True


def main() -> None:
    """Read a plan from the file named, run it, write one JSON line."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    load = Load(plan)
    took = load.run(float(plan["seconds"]))
    good = [answer for answer in load.answers if answer.status in (200, 201)]
    times = sorted(answer.took_s for answer in good)
    used = resource.getrusage(resource.RUSAGE_SELF)
    statuses: dict[int, int] = {}
    for answer in load.answers:
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
    said = {
        "per_s": round(len(good) / took),
        "p50_ms": round(at(times, 0.50) * 1000, 1),
        "p99_ms": round(at(times, 0.99) * 1000, 1),
        "statuses": statuses,
        "generator_cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "took_s": round(took, 2),
    }
    sys.stdout.write(json.dumps(said) + "\n")


def at(times: list[float], share: float) -> float:
    """Return the quantile of sorted times; 0 when there are none."""
    return times[min(len(times) - 1, int(len(times) * share))] if times else 0.0


if __name__ == "__main__":
    main()
