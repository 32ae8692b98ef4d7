"""`exchange verify`: the checks of `contracts.evidence`, with auction and master as well."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from contracts.evidence import checking
from contracts.evidence.checking import Report
from contracts.evidence.opened import AUCTION, Bundle, Failed
from contracts.log.policy import Policy
from listings.auctions import verify_auction
from listings.masters import chunks, store


def verify(
    path: Path,
    *,
    trusted_vkey: str | None = None,
    trusted: Policy | None = None,
    master: Path | None = None,
) -> Report:
    """Check a bundle.

    Args:
        path: the zip.
        trusted_vkey: the log's verifier key as known from elsewhere.
        trusted: a policy on witnesses that the checkpoint has to meet.
        master: a file to compare with the one that was listed.
    """
    further: dict[str, Callable[[Bundle], str]] = {}
    if master is not None:
        further["master file"] = partial(_master, master)
    return checking.verify(
        path, trusted_vkey=trusted_vkey, replay=replay, trusted=trusted, further=further
    )


def replay(log: bytes) -> Mapping[str, Any]:
    """Decide an auction's log once more.

    Raises:
        Failed: it does not hold; names the event.
    """
    try:
        return verify_auction.verify(log)
    except verify_auction.Bad as bad:
        raise Failed(AUCTION, f"event {bad.seq}: {bad}") from bad


def _master(master: Path, bundle: Bundle) -> str:
    found = chunks.sums(store.pieces(master, 0, master.stat().st_size))
    listed = bundle.one("listing.published").record
    root = listed.get("master_chunk_root")  # bundles from before chunk roots have none
    if found.sha256 != listed["master_sha256"] or root not in (None, found.chunk_root):
        raise Failed(master.name, "is not the master that was listed")
    return f"{master.name} is the master that was listed"
