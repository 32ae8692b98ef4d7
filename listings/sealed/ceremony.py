"""How an opening key is made, away from the exchange, and how its shares come to their holders.

One person may make the key (`generate`) and is then trusted to forget it. Or each holder makes a
part, and the parts are added (`combined`): then nobody ever had the whole key, and two holders must
work together to open a bid, as at the opening itself.

Source: Feldman (1987); Pedersen (1991) for the sum of parts. A holder checks its share of every
part against that part's points, so nobody can choose a part that takes the others' away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from contracts.refusal import Kind, Refusal
from listings.sealed import commitment, curve, envelope
from listings.sealed.commitment import prefixed
from listings.sealed.curve import N, Point
from listings.sealed.envelope import SCALAR_BYTES, SHARE, SealBroken
from listings.sealed.opening import BadOpeningKey, Opening
from listings.sealed.sharing import HOLDERS

VERSION = 1


class FalseShare(Refusal):
    """A share is not that of its holder, for this key."""

    kind, code = Kind.CONFLICT, "false-share"
    hint = "Use the share file that was made with exactly this opening key, for this holder."


def generate(
    auction: UUID, *, holders: Mapping[str, Point], plain_bytes: int, reveal_s: int
) -> tuple[Opening, dict[str, dict[str, Any]]]:
    """Make an opening key; return its public part and each holder's share file.

    The key itself is not returned and is kept nowhere.
    """
    secret, shares = envelope.draw()
    opening = Opening(
        auction=auction,
        public=envelope.point_of(secret),
        points={holder: envelope.point_of(share) for holder, share in shares.items()},
        plain_bytes=plain_bytes,
        reveal_s=reveal_s,
    )
    files = {
        holder: share_file(opening, holder, shares[holder], to=holders[holder])
        for holder in HOLDERS
    }
    return opening, files


def share_file(opening: Opening, holder: str, share: int, *, to: Point) -> dict[str, Any]:
    """Return a share that only its holder's key opens."""
    plain = share.to_bytes(SCALAR_BYTES)
    raw = envelope.box(to, plain, label=SHARE, about=_about(opening, holder))
    return {
        "version": VERSION,
        "auction": str(opening.auction),
        "holder": holder,
        "opening_sha256": opening.sha256().hex(),
        "sealed": commitment.encoded(raw),
    }


def read_share(file: Mapping[str, Any], *, opening: Opening, private: int) -> int:
    """Open a share file and check the share against the public key.

    Raises:
        FalseShare: the file is of another key, not for this holder's key, or holds a false share.
    """
    holder, raw = file.get("holder"), commitment.decoded(file.get("sealed"))
    if file.get("opening_sha256") != opening.sha256().hex() or raw is None:
        raise FalseShare("The share file is of another opening key.")
    if holder not in HOLDERS:
        raise FalseShare("The share file names no holder.")
    try:
        plain = envelope.unbox(private, raw, label=SHARE, about=_about(opening, holder))
    except SealBroken as broken:
        raise FalseShare("The share file does not open with this key.") from broken
    share = int.from_bytes(plain)
    check_share(opening, holder, share)
    return share


def check_share(opening: Opening, holder: str, share: int) -> None:
    """Check a share against its point.

    Raises:
        FalseShare: it is another number.
    """
    if not 0 < share < N or envelope.point_of(share) != opening.points[holder]:
        raise FalseShare("This is not the share of that holder.", holder=holder)


def combined(parts: Sequence[Opening]) -> Opening:
    """Return the opening key whose secret is the sum of the parts'.

    Raises:
        BadOpeningKey: the parts are of different keys, one is there twice, or they cancel out.
    """
    first = parts[0]
    same = (first.auction, first.plain_bytes, first.reveal_s)
    if any((part.auction, part.plain_bytes, part.reveal_s) != same for part in parts):
        raise BadOpeningKey("The parts are not of one key.")
    if len({part.public for part in parts}) != len(parts):
        raise BadOpeningKey("A part is there twice.")
    public = _sum([part.public for part in parts])
    points = {holder: _sum([part.points[holder] for part in parts]) for holder in HOLDERS}
    return replace(first, public=public, points=points)


def combined_share(shares: Sequence[int]) -> int:
    """Return a holder's share of the sum from its shares of the parts."""
    return sum(shares) % N


def _sum(points: Sequence[Point]) -> Point:
    total: Point | None = None
    for point in points:
        total = curve.add(total, point)
    if total is None:
        raise BadOpeningKey("The parts cancel out.")
    return total


def _about(opening: Opening, holder: str) -> bytes:
    parts = (opening.auction.bytes, holder.encode(), opening.sha256())
    return b"".join(map(prefixed, parts))
