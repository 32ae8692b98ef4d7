"""The desk that takes calls: who calls, the idempotency key, the parameters, the effect.

Source: Stripe's "Idempotent requests": the first result of a key is kept, errors included, for at
least 24 hours; results of requests whose parameters do not fit are not kept; the same key with
other parameters is an error. Of the second version (`/v2`) only successes are kept.
"""

import hashlib
import heapq
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exchange import clock
from exchange.standins.stripe import forms, holds, payouts, reads, specs
from exchange.standins.stripe.call import API_VERSION, Answer, Call, Options
from exchange.standins.stripe.errors import Problem, invalid, unauthenticated
from exchange.standins.stripe.operations import Operation
from exchange.standins.stripe.store import Store, new_id

KEPT_S = 24 * 3_600
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, read but not yet understood."""

    operation: Operation
    path: str
    id: str
    raw: str
    headers: Mapping[str, str]

    @property
    def is_second(self) -> bool:
        """Whether it is of the API's second version, whose bodies are JSON."""
        return self.path.startswith("/v2/")

    def params(self) -> dict[str, Any]:
        """The parameters, not yet checked.

        Raises:
            Problem: they cannot be read.
        """
        if self.is_second and self.operation.method == "POST":
            return forms.decode_json(self.raw)
        return forms.decode(self.raw)

    @property
    def key(self) -> str | None:
        """The idempotency key of a POST."""
        return self.headers.get("idempotency-key") if self.operation.method == "POST" else None


class Desk:
    """Takes requests and gives answers; `busy` holds the keys of calls under way."""

    def __init__(self, store: Store, options: Options) -> None:
        """Serve from `store`."""
        self.store, self.options = store, options
        self.busy: set[str] = set()
        self._late: list[tuple[float, int, Request]] = []  # a heap by instant and order
        self._turns = itertools.count()
        self._as_of: float | None = None

    def now(self) -> int:
        """The stand-in's clock in whole seconds."""
        return int(self.instant())

    def instant(self) -> float:
        """The stand-in's clock: the real one, moved or stopped by what `/_clock` was told."""
        if self._as_of is not None:
            return self._as_of
        stopped = self.store.setting("clock_stopped_at", "")
        base = float(stopped) if stopped else clock.now().timestamp()
        return base + int(self.store.setting("clock_s", "0"))

    def set_clock(self, *, advance_s: int, is_still: bool) -> None:
        """Move the clock forward; let it stand still from now on, if asked to."""
        moved = int(self.store.setting("clock_s", "0")) + max(0, advance_s)
        with self.store.transaction():
            if is_still and not self.store.setting("clock_stopped_at", ""):
                self.store.set("clock_stopped_at", str(int(clock.now().timestamp())))
            self.store.set("clock_s", str(moved))
        self.catch_up()

    def put_off(self, request: Request, seconds: float) -> None:
        """Keep a request that is carried out after `seconds` of this clock."""
        heapq.heappush(self._late, (self.instant() + seconds, next(self._turns), request))

    def catch_up(self) -> None:
        """Carry out what was put off and is due, each as of its own instant; end what is over.

        Not as of now: a key that was alive when the request was due may be forgotten by now, and a
        card that still held money then may have let it go.
        """
        while self._late and self._late[0][0] <= self.instant():
            due, _, request = heapq.heappop(self._late)
            self._as_of = due
            try:
                self.end_holds()
                self.take(request, holds_key=True)
            finally:
                self._as_of = None
                self.busy.discard(request.key or "")
        with self.store.transaction():
            payouts.advance(self.own_call({}, ""))
        self.end_holds()

    def own_call(self, params: Mapping[str, Any], id_: str) -> Call:
        """Return a call that nobody made: what happens by itself, or on command."""
        return Call(
            store=self.store, options=self.options, params=params, id=id_, now=self.now(),
            account="", request="req_control", key=None,
        )  # fmt: skip

    def command(
        self, run: Callable[[Call], dict[str, Any]], id_: str, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Do at once what happens outside the API: a bank, a card holder, a clerk acts.

        Raises:
            Problem: it cannot happen.
        """
        self.catch_up()
        with self.store.transaction():
            return run(self.own_call(given, id_))

    def end_holds(self) -> None:
        """Let go of what cards held until now."""
        if not holds.due(self.store, self.now()):
            return
        with self.store.transaction():
            holds.expire_due(self.own_call({}, ""))

    def take(self, request: Request, *, holds_key: bool = False) -> tuple[Answer, dict[str, str]]:
        """Carry out a request; return the answer and its headers."""
        request_id = new_id("request")
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        if request.key is not None:
            headers["Idempotency-Key"] = request.key
        try:
            is_browser = _who(request)
            replay = self._replay(request, holds_key=holds_key)
            if replay is not None:
                return replay[0], headers | replay[1]
            call = self._call(request, request_id, is_browser=is_browser)
        except Problem as problem:
            if problem.status == 409:
                headers["Stripe-Should-Retry"] = "true"
            return Answer(problem.status, problem.body), headers
        return self._effect(request, call), headers

    def keep_error(self, request: Request, status: int) -> tuple[Answer, dict[str, str]]:
        """Answer with an error and without any effect, and keep that answer under the key."""
        known = self._replay(request, holds_key=False)
        if known is not None:
            return known
        kind = "api_error" if status >= 500 else "invalid_request_error"
        answer = Answer(status, {"error": {"message": "Stored failure.", "type": kind}})
        with self.store.transaction():
            self._keep(request, answer, new_id("request"))
        return answer, {}

    def _call(self, request: Request, request_id: str, *, is_browser: bool) -> Call:
        name = request.operation.name
        table = specs.BROWSER if is_browser else specs.SPECS
        if name not in table:
            raise unauthenticated("A publishable key cannot do this.")
        required = specs.REQUIRED.get(name, frozenset())
        return Call(
            store=self.store,
            options=self.options,
            params=forms.check(request.params(), table[name], required),
            id=request.id,
            now=self.now(),
            account=request.headers.get("stripe-account", ""),
            request=request_id,
            key=request.key,
            is_browser=is_browser,
            at=f"http://{request.headers.get('host', '')}",
        )

    def _effect(self, request: Request, call: Call) -> Answer:
        try:
            with self.store.transaction():
                answer = request.operation.run(call)
                paths = call.params.get("expand", [])
                if answer.status == 200 and paths:
                    answer = Answer(200, reads.expand(call, dict(answer.body), paths))
                self._keep(request, answer, call.request)
        except Problem as problem:
            answer = Answer(problem.status, problem.body)
            if not request.is_second:
                with self.store.transaction():
                    self._keep(request, answer, call.request)
        return answer

    def _replay(self, request: Request, *, holds_key: bool) -> tuple[Answer, dict[str, str]] | None:
        key = request.key
        if key is None:
            return None
        if not 1 <= len(key) <= LONGEST_KEY:
            raise invalid("An idempotency key has 1 to 255 characters.")
        if key in self.busy and not holds_key:
            raise Problem(
                409,
                message="Another request with this idempotency key is in progress.",
                code="idempotency_key_in_use",
                type="idempotency_error",
            )
        with self.store.transaction():
            self.store.db.execute(
                "DELETE FROM idempotency WHERE first_at <= ?", (self.now() - KEPT_S,)
            )
        row = self.store.db.execute(
            "SELECT fingerprint, status, body, request FROM idempotency WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        if row[0] != _fingerprint(request):
            raise Problem(
                400,
                message="Keys for idempotent requests can only be used with the same parameters "
                "they were first used with.",
                type="idempotency_error",
            )
        kept = Answer(row[1], json.loads(row[2]))
        return kept, {"Idempotent-Replayed": "true", "Original-Request": row[3]}

    def _keep(self, request: Request, answer: Answer, request_id: str) -> None:
        if request.key is None:
            return
        self.store.db.execute(
            "INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?)",
            (request.key, _fingerprint(request), answer.status, json.dumps(answer.body),
             request_id, self.now()),
        )  # fmt: skip


def _fingerprint(request: Request) -> str:
    given: Any = [
        request.operation.name, request.path, request.headers.get("stripe-account", ""),
        request.params(),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def _who(request: Request) -> bool:
    """Return whether a browser calls, with a publishable key; refuse who is nobody.

    Raises:
        Problem: 401 without a test key; 400 for an API version other than ours.
    """
    version = request.headers.get("stripe-version", API_VERSION)
    if version != API_VERSION:
        raise invalid(f"The stand-in speaks {API_VERSION} alone, not {version}.")
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not key:
        key = str(request.params().get("key", ""))
    if key.startswith("pk_test_"):
        return True
    if not key.startswith("sk_test_"):
        raise unauthenticated("Send a test key (sk_test_…); a stand-in takes no live keys.")
    return False
