"""Requests for proposals decided: until when one may answer, and what an answer commits to (pure).

Source: 政府采购非招标采购方式管理办法 (财政部令第74号) ch. 5 for 询价: all are asked the same,
answers come by a deadline and are opened together.
Differs from the source: a broadcaster that buys with its own money asks whom it likes and is free
to take none of the answers.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import canonical, rfc3339
from contracts.refusal import Kind, Refusal
from contracts.rights import rules as rights
from listings.offers.rules import message

TYPE = "uhdx.request/v1"
DOMAIN = b"uhdx/proposal/v1\x00"
MOST_INVITED = 50
MOST_RIGHTS = 20
LONGEST_TITLE = 200
LONGEST_OPEN = timedelta(days=90)
# An answer that came in before the deadline may still be on its way into the database.
OPENED_AFTER = timedelta(seconds=5)


class BadRequest(Refusal):
    """The request does not hold together."""

    kind, code = Kind.INVALID, "bad-request"
    hint = "Say what you look for, name 1 to 20 rights and a deadline within 90 days."


class RequestOver(Refusal):
    """The deadline has passed, or the request was withdrawn."""

    kind, code = Kind.CONFLICT, "request-over"
    hint = "Answers are taken until the deadline; negotiate by an offer instead."


class AnswersSealed(Refusal):
    """The answers are sealed until the deadline."""

    kind, code = Kind.CONFLICT, "answers-sealed"
    hint = "Ask again after the deadline: all answers are opened together."


class AnswerTooShort(Refusal):
    """The answer would bind no longer than until the deadline."""

    kind, code = Kind.INVALID, "answer-too-short"
    hint = "Let the answer bind beyond the deadline, so that it can be accepted."


def wish(
    title: str, text: str, wires: Sequence[Mapping[str, Any]], genres: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """Return what is asked for, checked, in the one form that is hashed.

    Raises:
        BadRequest: the title, or the number of rights, is out of range.
        BadOffer: a text holds signs that cannot be seen.
        Refusal: any of `contracts.rights.rules.resolve`.
    """
    head = message(title).replace("\n", " ")
    expanded = [one for wire in wires for one in rights.expand(wire)]
    if not 1 <= len(head) <= LONGEST_TITLE or not 1 <= len(expanded) <= MOST_RIGHTS:
        raise BadRequest("The title or the rights are out of range.", most_rights=MOST_RIGHTS)
    return {
        "typ": TYPE,
        "title": head,
        "text": message(text),
        "rights": [rights.normal(wire) for wire in expanded],
        "genres": sorted(set(genres)),
    }


def sealed(
    content: Mapping[str, Any], *, request: UUID, party: UUID, deadline_at: datetime
) -> bytes:
    """Return the bytes of a request, whose SHA-256 stands in the log."""
    place = {"request": str(request), "asker": str(party)}
    return canonical.dumps({**content, **place, "deadline_at": rfc3339.exact(deadline_at)})


def check_deadline(deadline_at: datetime, *, now: datetime) -> None:
    """Check the instant until which answers are taken.

    Raises:
        BadRequest: it is past, or too far ahead.
    """
    if not now < deadline_at <= now + LONGEST_OPEN:
        raise BadRequest("The deadline cannot be then.", latest=rfc3339.exact(now + LONGEST_OPEN))


def check_invited(invited: Sequence[UUID] | None, *, asker: UUID) -> list[UUID] | None:
    """Return who is invited, each once; None invites every verified rights holder.

    Raises:
        BadRequest: nobody is invited, too many are, or the asker itself is.
    """
    if invited is None:
        return None
    named = sorted(set(invited))
    if not 1 <= len(named) <= MOST_INVITED or asker in named:
        raise BadRequest("The invited parties are out of range.", most=MOST_INVITED)
    return named


def check_open(state: str, deadline_at: datetime, *, now: datetime) -> None:
    """Let answers come and go until the deadline, that instant not included.

    Raises:
        RequestOver: it has passed, or the request was withdrawn.
    """
    if state != "open" or now >= deadline_at:
        raise RequestOver("Answers are taken no more.", deadline_at=rfc3339.exact(deadline_at))


def check_opened(state: str) -> None:
    """Let nobody look at answers before all of them are opened.

    Raises:
        AnswersSealed: they are not.
        RequestOver: the request was withdrawn; its answers stay sealed for good.
    """
    if state == "withdrawn":
        raise RequestOver("The request was withdrawn; its answers stay sealed.")
    if state != "opened":
        raise AnswersSealed("The answers are sealed.")


def check_binds(expires_at: datetime, *, deadline_at: datetime) -> None:
    """Check that an answer can be accepted once it is opened.

    Raises:
        AnswerTooShort: it has run out by then.
    """
    if expires_at <= deadline_at + OPENED_AFTER:
        raise AnswerTooShort("The answer runs out before it is opened.")


def commitment(*, request: UUID, party: UUID, content: bytes, nonce: bytes) -> str:
    """Return what an answer commits to: SHA-256 over the domain, both ids, length, content, nonce.

    32 random bytes hide the content; the ids keep a commitment from being used by another.
    """
    size = len(content).to_bytes(4, "big")
    return hashlib.sha256(DOMAIN + request.bytes + party.bytes + size + content + nonce).hexdigest()
