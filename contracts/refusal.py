"""Refusals: typed answers that say no, why, and what to do next.

A refusal is not a bug. It is defined beside the rule that gives it, carries a stable code, a
sentence for people and data for programs; the edge maps its kind to a status (RFC 9457).
"""

from enum import Enum
from typing import Any, ClassVar


class Kind(Enum):
    """What sort of no it is; the edge turns it into an HTTP status."""

    INVALID = "invalid"  # the content breaks a rule: 422
    MALFORMED = "malformed"  # the content cannot be read: 400
    UNAUTHENTICATED = "unauthenticated"  # nobody we know: 401
    FORBIDDEN = "forbidden"  # known, visible, not allowed: 403
    UNKNOWN = "unknown"  # no such thing, or none the asker may see: 404
    CONFLICT = "conflict"  # the state of things forbids it: 409
    PRECONDITION = "precondition"  # a condition the asker stated or had to state does not hold: 412
    GONE = "gone"  # it was here and ended: 410
    TOO_LARGE = "too-large"  # 413
    OUTSIDE = "outside"  # what was asked for lies outside of it: 416
    UNSUPPORTED = "unsupported"  # a media type or format we do not read: 415
    LIMITED = "limited"  # too many, too fast: 429
    UNAVAILABLE = "unavailable"  # try again with the same id: 503


class Refusal(Exception):
    """Base of every refusal.

    Attributes:
        kind: the sort of no.
        code: stable, lower case, words joined by hyphens; unique in the project.
        hint: what the asker can do next.
        keeps: whether what was written before the no is committed all the same; whoever raises such
            a refusal has written nothing but what led to it.
        data: reasons as plain JSON values.
    """

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "refused"
    hint: ClassVar[str] = ""
    keeps: ClassVar[bool] = False

    def __init__(self, detail: str, **data: Any) -> None:
        """Say no with a sentence for people and data for programs."""
        super().__init__(detail)
        self.detail = detail
        self.data = data


class Malformed(Refusal):
    """The bytes are not the JSON (or file) that was announced."""

    kind, code = Kind.MALFORMED, "malformed"
    hint = "Send well-formed content with the matching Content-Type."


class InvalidContent(Refusal):
    """The content has the right form, but a field breaks its rule."""

    kind, code = Kind.INVALID, "invalid-content"
    hint = "See `errors`: each names the field and its rule."


class IdReused(Refusal):
    """The id is taken by something with other content."""

    kind, code = Kind.CONFLICT, "id-reused"
    hint = "Repeat the first content to get the first answer, or choose a new id."


class Unknown(Refusal):
    """There is no such thing, or none that the asker may see."""

    kind, code = Kind.UNKNOWN, "unknown"
    hint = "Check the id and the account you are signed in with."


class NotAllowed(Refusal):
    """The asker's role or scope does not cover this."""

    kind, code = Kind.FORBIDDEN, "not-allowed"
    hint = "Ask someone whose role or key covers it."


class CommitUnknown(Refusal):
    """The database connection was lost while committing; the effect may or may not stand."""

    kind, code = Kind.UNAVAILABLE, "commit-unknown"
    hint = "Repeat the request with the same id: it takes effect once."
