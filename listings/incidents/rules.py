"""What may be done about an auction in trouble, and by how many people (pure).

Source: practice of property exchanges (重新报价 and 继续报价 after a failure of the system, by
authority that the seller gave beforehand); 拍卖法 art. 39 (a buyer who does not pay).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from contracts import rfc3339
from contracts.refusal import Kind, Refusal

PAUSE, RESUME, REBID, VOID, DEFAULT = "pause", "resume", "rebid", "void", "default"
AT_ONCE = (PAUSE, RESUME)
PROPOSED, DONE, REFUSED = "proposed", "done", "refused"


class IncidentState(Refusal):
    """The auction is not in a state for this."""

    kind, code = Kind.CONFLICT, "incident-state"
    hint = "See `state`: what runs is paused, what is paused resumed; only an award defaults."


class IncidentDecided(Refusal):
    """The proposal was decided before."""

    kind, code = Kind.CONFLICT, "incident-decided"
    hint = "Propose it anew; a decision is not changed."


class SecondPersonNeeded(Refusal):
    """Whoever proposed it does not decide it (双人复核)."""

    kind, code = Kind.FORBIDDEN, "second-person-needed"
    hint = "Ask a colleague to decide it."


class BadIncident(Refusal):
    """The incident lacks what its kind needs."""

    kind, code = Kind.INVALID, "bad-incident"
    hint = "Bidding anew needs `auction_id`, `opens_at` and `closes_at`; a default needs `paddle`."


def check_kind(kind: str, *, times: bool, paddle: bool) -> None:
    """Check that an incident names what its kind needs, and nothing else.

    Raises:
        BadIncident: it does not.
    """
    if times != (kind == REBID) or paddle != (kind == DEFAULT):
        raise BadIncident("The incident names too little or too much.", kind=kind)


def check_state(kind: str, state: str, *, awarded: bool) -> None:
    """Check that an auction is in a state for this.

    What has been awarded is not voided any more: its contract is. A winner who does not sign is
    left out, and the award goes on by the rulebook.

    Raises:
        IncidentState: it is not.
    """
    fits = {
        PAUSE: state == "open",
        RESUME: state == "paused",
        REBID: state in ("open", "paused", "closed") and not awarded,
        VOID: state in ("open", "paused", "closed") and not awarded,
        DEFAULT: state == "closed" and awarded,
    }
    if not fits[kind]:
        raise IncidentState(f"The auction is {state}.", state=state, awarded=awarded)


def check_decision(*, state: str, proposed_by: object, decided_by: object) -> None:
    """Check that a second person decides what is still open.

    Raises:
        IncidentDecided: it was decided.
        SecondPersonNeeded: the same person proposed it.
    """
    if state != PROPOSED:
        raise IncidentDecided("It was decided.", state=state)
    if proposed_by == decided_by:
        raise SecondPersonNeeded("You proposed this yourself.")


def resumed(
    *, closes_at: datetime, hard_stop_at: datetime | None, paused_at: datetime, at: datetime
) -> dict[str, str | None]:
    """Return the body of the event: close and hard stop move by the length of the pause."""
    length = at - paused_at
    stop = None if hard_stop_at is None else rfc3339.exact(hard_stop_at + length)
    return {"closes_at": rfc3339.exact(closes_at + length), "hard_stop_at": stop}


def moved(sale: Mapping[str, Any], times: Mapping[str, Any]) -> dict[str, Any]:
    """Return the terms of sale at other times: all else stays, and what hangs on them moves along.

    The end of a free period lies one cycle before the close; the last instant to be admitted lies
    as far from the opening as before.
    """
    made = {**{name: value for name, value in sale.items() if name != "hard_stop_at"}, **times}
    closing, admission = sale.get("closing", {}), sale.get("admission", {})
    if closing.get("free_until") is not None:
        free = _instant(times["closes_at"]) - timedelta(seconds=closing["window_s"])
        made["closing"] = {**closing, "free_until": rfc3339.exact(free)}
    if admission.get("until") is not None:
        later = _instant(times["opens_at"]) - _instant(sale["opens_at"])
        until = rfc3339.exact(_instant(admission["until"]) + later)
        made["admission"] = {**admission, "until": until}
    return made


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
