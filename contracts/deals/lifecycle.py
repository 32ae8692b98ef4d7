"""The life of a deal (合同的生命周期): four regions of state that move by what happened (pure).

    negotiation  draft → offered ⇄ countered → agreed | withdrawn | lapsed
    signing      drafted → certified → licensor_signed → executed | voided | declined | expired
    performance  pending → effective → paid
    end          none → in_force → expired | terminated | rescinded | superseded

A deal begins where its negotiation ended: as agreed. Each step is told by one fact, and the facts
of a deal in their order give its state again. A state without steps is the last of its region.

Source: 民法典 art. 562 ¶1 (ending by agreement), 563 and 565 (by notice), 201 and 203 (periods).
Differs from the source: a period that ends on a holiday is not moved to the next working day; the
contracts of the exchange count days, and say so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from contracts.refusal import Kind, Refusal

Region = Mapping[str, Mapping[str, str]]
_GIVEN_UP = {"voided": "voided", "declined": "declined", "ran-out": "expired"}
NEGOTIATION: Region = {
    "draft": {"offer": "offered"},
    "offered": {
        "counter": "countered", "agree": "agreed", "withdraw": "withdrawn", "lapse": "lapsed"
    },
    "countered": {
        "counter": "countered", "agree": "agreed", "withdraw": "withdrawn", "lapse": "lapsed"
    },
    "agreed": {},
    "withdrawn": {},
    "lapsed": {},
}  # fmt: skip
SIGNING: Region = {
    "drafted": {"certified": "certified", **_GIVEN_UP},
    "certified": {"licensor-signed": "licensor_signed", **_GIVEN_UP},
    "licensor_signed": {"executed": "executed", "executed-unwitnessed": "executed", **_GIVEN_UP},
    "executed": {},
    "voided": {},
    "declined": {},
    "expired": {},
}
PERFORMANCE: Region = {
    "pending": {"executed": "effective", "witnessed": "effective"},
    "effective": {"paid": "paid"},
    "paid": {},
}
END: Region = {
    "none": {"executed": "in_force", "executed-unwitnessed": "in_force"},
    "in_force": {
        "window-ended": "expired",
        "terminated": "terminated",
        "rescinded": "rescinded",
        "superseded": "superseded",
    },
    "expired": {},
    "terminated": {},
    "rescinded": {},
    "superseded": {},
}
REGIONS: Mapping[str, Region] = {
    "negotiation": NEGOTIATION, "signing": SIGNING, "performance": PERFORMANCE, "end": END
}  # fmt: skip
SIGNED_NEXT: Mapping[str, str] = {"certified": "licensor", "licensor_signed": "licensee"}
REMINDED_BEFORE = timedelta(days=7)  # a week is left for whoever has to find two signatories
_SHANGHAI = ZoneInfo("Asia/Shanghai")


class StepNotPossible(Refusal):
    """The deal is not in a state from which this step leads anywhere."""

    kind, code = Kind.CONFLICT, "deal-step-not-possible"
    hint = "See `signing`, `performance` and `end` of the deal for where it stands."


class DealDeclined(Refusal):
    """A party declined to sign this deal (拒签); nobody can sign it."""

    kind, code = Kind.CONFLICT, "deal-declined"
    hint = "Its rights are free again; negotiate or offer them anew."


class DealExpired(Refusal):
    """The deal was not signed in time; nobody can sign it."""

    kind, code = Kind.CONFLICT, "deal-expired"
    hint = "Its rights are free again; negotiate or offer them anew."


class AlreadySigned(Refusal):
    """Whoever has signed cannot decline to sign."""

    kind, code = Kind.CONFLICT, "already-signed"
    hint = "Wait for the other side, or for the end of the time to sign."


class DealNotInForce(Refusal):
    """The deal is not in force, so it can neither be ended nor amended."""

    kind, code = Kind.CONFLICT, "deal-not-in-force"
    hint = "A deal is in force from its last signature until it ends."


@dataclass(frozen=True, slots=True)
class Life:
    """Where a deal stands in its four regions, and why it ended where it was ended early."""

    negotiation: str = "agreed"
    signing: str = "drafted"
    performance: str = "pending"
    end: str = "none"
    cause: str | None = None


def life_of(*, signing: str, performance: str, ended: str | None, cause: str | None) -> Life:
    """Return the life that a row tells."""
    running = "in_force" if signing == "executed" else "none"
    return Life("agreed", signing, performance, ended or running, cause)


def after(life: Life, step: str, *, cause: str | None = None) -> Life:
    """Return the life after a step; every region that knows the step moves, and one at least.

    Raises:
        StepNotPossible: no region moves by it from where it stands.
    """
    moved = {
        name: region[getattr(life, name)][step]
        for name, region in REGIONS.items()
        if step in region[getattr(life, name)]
    }
    signs = step in ("executed", "executed-unwitnessed")
    early = step == "witnessed" and life.signing != "executed"
    if not moved or early or (signs and "signing" not in moved):
        raise StepNotPossible(
            f"This deal cannot be {step}.",
            signing=life.signing, performance=life.performance, end=life.end,
        )  # fmt: skip
    return replace(life, **moved, cause=cause or life.cause)


def replay(told: Iterable[tuple[str, Mapping[str, Any]]]) -> Life | None:
    """Return the life that the facts of a deal tell, in their order; None before it was opened.

    Raises:
        StepNotPossible: the facts tell of a step that cannot follow those before it.
    """
    life: Life | None = None
    for kind, record in told:
        if kind == "deal.opened":
            life = Life()
            continue
        found = step_of(kind, record)
        if found is not None and life is not None:
            life = after(life, found, cause=record.get("cause"))
    return life


def step_of(kind: str, record: Mapping[str, Any]) -> str | None:
    """Return the step that a fact tells, or None where it moves nothing."""
    if kind == "deal.signed":
        return "licensor-signed" if record["role"] == "licensor" else None
    if kind == "deal.ended":
        ended: str = record["ended"]
        return "window-ended" if ended == "expired" else ended
    if kind == "deal.executed":
        return "executed-unwitnessed" if record.get("policy_sha256") else "executed"
    return {
        "deal.certified": "certified",
        "deal.witnessed": "witnessed",
        "deal.voided": "voided",
        "deal.declined": "declined",
        "deal.expired": "ran-out",
        "settlement.booked": "paid",
        "payment.carried": "paid",
    }.get(kind)


def is_open(life: Life) -> bool:
    """Tell whether the deal still waits for signatures."""
    return bool(SIGNING[life.signing])


def check_open(life: Life) -> None:
    """Let only deals that still wait for signatures pass; how they ended is the refusal.

    Raises:
        DealDeclined, DealExpired: it ended so.
        StepNotPossible: it was voided, or everybody has signed.
    """
    check_not_given_up(life.signing)
    if not is_open(life):
        raise StepNotPossible("Nobody's signature is awaited.", signing=life.signing)


def check_not_given_up(signing: str) -> None:
    """Refuse what was declined, or not signed in time, by its own name.

    Raises:
        DealDeclined, DealExpired: it was.
    """
    if signing == "declined":
        raise DealDeclined("A party declined to sign.")
    if signing == "expired":
        raise DealExpired("The deal was not signed in time.")


def check_declinable(life: Life, *, role: str) -> None:
    """Let a side decline that has not signed yet.

    Raises:
        AlreadySigned: the licensor has signed.
        Refusal: any of `check_open`.
    """
    check_open(life)
    if life.signing == "licensor_signed" and role == "licensor":
        raise AlreadySigned("You have signed this deal.")


def check_in_force(life: Life) -> None:
    """Let only deals in force pass.

    Raises:
        DealNotInForce: it is not signed by both, or has ended.
    """
    if life.end != "in_force":
        raise DealNotInForce("This deal is not in force.", signing=life.signing, end=life.end)


def may(life: Life, *, role: str, ends_early: bool = False) -> list[str]:
    """Return what a side, or the staff as `operator`, may do by the state alone.

    `ends_early` says that a clause lets this side end the contract without a reason.
    """
    if role == "operator":
        steps = ["void"] if is_open(life) else []
        return steps + (["rescind"] if life.end == "in_force" else [])
    found = ["sign"] if SIGNED_NEXT.get(life.signing) == role else []
    if is_open(life) and not (life.signing == "licensor_signed" and role == "licensor"):
        found.append("decline")
    if life.end == "in_force":
        found += ["amend", "notify", "offer-to-end"]
        found += ["end-early"] if ends_early else []
        found += ["assign"] if role == "licensee" else []
    return found


def cure_by(received_at: datetime, *, days: int) -> datetime:
    """Return the first instant after a period to cure: the day of receipt is not counted.

    The period ends with its last day in Shanghai (民法典 art. 201 ¶1, art. 203 ¶2).
    """
    last = received_at.astimezone(_SHANGHAI).date() + timedelta(days=days + 1)
    midnight = datetime(last.year, last.month, last.day, tzinfo=_SHANGHAI)
    return midnight.astimezone(received_at.tzinfo)


def signing_timers(*, expires_at: datetime) -> list[tuple[str, datetime]]:
    """Return when a deal under signature is reminded of, and when it runs out."""
    return [
        ("signing-reminder", expires_at - REMINDED_BEFORE), ("signing-expiry", expires_at)
    ]  # fmt: skip


def window_end(grants: Sequence[Mapping[str, Any]]) -> datetime:
    """Return when the last of the granted rights ends, from the terms' grants."""
    return max(datetime.fromisoformat(grant["until"]) for grant in grants)


def still_matters(life: Life, kind: str) -> bool:
    """Tell whether a timer of this kind would do anything where the deal stands."""
    return is_open(life) if kind.startswith("signing-") else life.end == "in_force"
