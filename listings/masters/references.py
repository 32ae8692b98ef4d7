"""Where masters may be fetched from: URLs below the stores that the operator allows (pure).

Whoever refers to a file makes this exchange read it with the exchange's own rights. So only object
stores and folders that were named by the operator are read, never a host of the asker's choice.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from listings.masters.refusals import ReferenceNotAllowed

# What obstore opens. Not http(s): a host that redirects would choose what is read.
SCHEMES = frozenset({"file", "s3", "gs", "az"})
MOST_URL = 2048


@dataclass(frozen=True, slots=True)
class Location:
    """A file: the allowed store (its URL) and the key below it."""

    store: str
    key: str


def roots(text: str) -> tuple[str, ...]:
    """Read the list of allowed stores: URLs with spaces or commas between them.

    Raises:
        ValueError: one cannot be fetched from.
    """
    found = tuple(part.rstrip("/") for part in text.replace(",", " ").split())
    for url in found:
        scheme, host, path = _parts(url)
        if scheme not in SCHEMES or not _is_plain(path) or not (host or path):
            raise ValueError(f"{url} is no store to fetch from: {', '.join(sorted(SCHEMES))}")
    return found


def locate(url: str, *, allowed: Sequence[str]) -> Location:
    """Return the allowed store that a URL lies in, and its key there.

    Raises:
        ReferenceNotAllowed: it lies in none, or could be read in two ways.
    """
    scheme, host, path = _parts(url)
    if len(url) <= MOST_URL and _is_plain(path):
        for root in allowed:
            at = _parts(root)
            below = path.removeprefix(f"{at[2]}/")
            if (scheme, host) == at[:2] and path.startswith(f"{at[2]}/") and below:
                return Location(root, below)
    raise ReferenceNotAllowed("This exchange fetches nothing from there.")


def _parts(url: str) -> tuple[str, str, str]:
    """Return scheme, host and path; empty where the URL says more than these three."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", "", ""
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if plain != url or "@" in parts.netloc or ":" in parts.netloc:
        return "", "", ""
    return parts.scheme, parts.netloc, parts.path


def _is_plain(path: str) -> bool:
    """Tell whether every step of a path is a name that means itself."""
    hidden = any(unicodedata.category(sign)[0] == "C" for sign in path)
    steps = path.split("/")[1:]
    return not hidden and not set("\\%?#") & set(path) and not {"", ".", ".."} & set(steps)
