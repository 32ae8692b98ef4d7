"""The public part of the key that opens the sealed bids of one auction.

It stands in the rulebook under `opening`, frozen and hashed with the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.refusal import Kind, Refusal
from listings.sealed import curve, sharing
from listings.sealed.curve import Point
from listings.sealed.sharing import HOLDERS, PLACE

VERSION = 1
# A first-price bid has some sixty bytes; the log takes sealed texts of up to 100,000 characters.
LEAST_PLAIN, MOST_PLAIN = 256, 64 * 1024
LEAST_REVEAL_S, MOST_REVEAL_S = 600, 14 * 86_400
_FIELDS = {"version", "auction", "public", "plain_bytes", "reveal_s", "shares"}


class BadOpeningKey(Refusal):
    """The opening key is not one of this auction, or its shares do not belong to it."""

    kind, code = Kind.INVALID, "bad-opening-key"
    hint = "Send `opening.json` as `exchange sealed keygen` or `combine` wrote it for this auction."


@dataclass(frozen=True, slots=True)
class Opening:
    """An opening key, checked: its point, the points of its shares, and its bounds."""

    auction: UUID
    public: Point
    points: Mapping[str, Point]
    plain_bytes: int
    reveal_s: int

    def wire(self) -> dict[str, Any]:
        """Return it as it stands in the rulebook."""
        return {
            "version": VERSION,
            "auction": str(self.auction),
            "public": curve.write(self.public).hex(),
            "plain_bytes": self.plain_bytes,
            "reveal_s": self.reveal_s,
            "shares": [
                {
                    "holder": holder,
                    "x": PLACE[holder],
                    "point": curve.write(self.points[holder]).hex(),
                }
                for holder in HOLDERS
            ],
        }

    def sha256(self) -> bytes:
        """Return the hash that its holders acknowledge."""
        return bytes.fromhex(canonical.sha256_hex(canonical.dumps(self.wire())))


def parse(value: Any, *, auction: UUID) -> Opening:
    """Read an opening key and check it against itself.

    Raises:
        BadOpeningKey: a field is missing or wrong, it is another auction's, a point is off the
            curve, or the shares are not those of this key.
    """
    try:
        found = _parsed(value)
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise BadOpeningKey("The opening key cannot be read.") from wrong
    if found.auction != auction:
        raise BadOpeningKey("The opening key is another auction's.", auction=str(found.auction))
    if not LEAST_PLAIN <= found.plain_bytes <= MOST_PLAIN:
        raise BadOpeningKey("The length of sealed texts is out of range.", field="plain_bytes")
    if not LEAST_REVEAL_S <= found.reveal_s <= MOST_REVEAL_S:
        raise BadOpeningKey("The time for revealing is out of range.", field="reveal_s")
    if not sharing.on_one_line(found.public, found.points):
        raise BadOpeningKey("The shares do not belong to the key.", field="shares")
    if found.wire() != value:
        raise BadOpeningKey("The opening key has more fields or another form.")
    return found


def read(value: Any, *, auction: UUID) -> dict[str, Any]:
    """Return an opening key in its one form, for the rulebook.

    Raises:
        BadOpeningKey: see `parse`.
    """
    return parse(value, auction=auction).wire()


def _parsed(value: Mapping[str, Any]) -> Opening:
    if set(value) != _FIELDS or type(value["version"]) is not int:
        raise ValueError("other fields")
    shares = value["shares"]
    if [(share["holder"], share["x"]) for share in shares] != list(PLACE.items()):
        raise ValueError("other holders")
    if any(type(value[name]) is not int for name in ("plain_bytes", "reveal_s")):
        raise ValueError("no whole numbers")
    return Opening(
        auction=UUID(value["auction"]),
        public=curve.read(bytes.fromhex(value["public"])),
        points={share["holder"]: curve.read(bytes.fromhex(share["point"])) for share in shares},
        plain_bytes=value["plain_bytes"],
        reveal_s=value["reveal_s"],
    )
