"""Opening keys and sealed bids for tests."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from listings.sealed import ceremony, envelope, opening
from listings.sealed.opening import Opening
from listings.sealed.sharing import HOLDERS

AUCTION = UUID("0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a02")
LISTING = UUID("0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a03")


@dataclass(frozen=True)
class Ceremony:
    """A key as its makers and holders know it: everything, in one place, which nobody has."""

    opening: Opening
    shares: dict[str, int]
    files: dict[str, dict[str, Any]]
    keys: dict[str, int]  # the private key of each holder

    @property
    def wire(self) -> dict[str, Any]:
        return self.opening.wire()

    def acknowledged(self, holder: str) -> str:
        return envelope.have_share(self.shares[holder], self.opening).hex()

    def share(self, holder: str) -> str:
        return self.shares[holder].to_bytes(32).hex()


def ceremony_of(
    auction: UUID = AUCTION, *, plain_bytes: int = 1024, reveal_s: int = 3600
) -> Ceremony:
    """Hold a ceremony for an auction."""
    keys = {holder: envelope.draw()[0] for holder in HOLDERS}
    made, files = ceremony.generate(
        auction,
        holders={holder: envelope.point_of(keys[holder]) for holder in HOLDERS},
        plain_bytes=plain_bytes,
        reveal_s=reveal_s,
    )
    shares = {
        holder: ceremony.read_share(files[holder], opening=made, private=keys[holder])
        for holder in HOLDERS
    }
    return Ceremony(opening.parse(made.wire(), auction=auction), shares, files, keys)
