"""A secret scalar cut in three, of which any two give it back and one tells nothing.

Source: Shamir (1979), over the order of P-256; Feldman (1987) for the points `share * G` that let
everybody check the shares without knowing them.
"""

from collections.abc import Mapping

from listings.sealed.curve import N, Point, add

HOLDERS = ("seller", "exchange", "auditor")
PLACE: Mapping[str, int] = {holder: place for place, holder in enumerate(HOLDERS, 1)}
THRESHOLD = 2


def split(secret: int, slope: int) -> dict[str, int]:
    """Return the shares of a secret by holder: the line `secret + slope * place`.

    Both are drawn uniformly from 1 to N - 1 by whoever calls.

    Raises:
        ValueError: one of them, or of the shares, is no scalar from 1 to N - 1; draw again.
    """
    shares = {holder: (secret + slope * place) % N for holder, place in PLACE.items()}
    if not all(0 < number < N for number in (secret, slope, *shares.values())):
        raise ValueError("draw again")
    return shares


def join(shares: Mapping[str, int]) -> int:
    """Return the secret from the shares of two holders.

    Raises:
        ValueError: there are not two of them.
    """
    if len(shares) != THRESHOLD:
        raise ValueError("two shares give the secret back")
    (x1, one), (x2, two) = ((PLACE[holder], share) for holder, share in shares.items())
    return (one * x2 - two * x1) * pow(x2 - x1, -1, N) % N


def on_one_line(public: Point, points: Mapping[str, Point]) -> bool:
    """Tell whether the points of the three shares belong to the public key, and none is the key.

    On a line of slope nought every share would be the whole secret.
    """
    line = [public, *(points[holder] for holder in HOLDERS)]
    straight = all(
        add(line[place], line[place]) == add(line[place - 1], line[place + 1]) for place in (1, 2)
    )
    return straight and line[0] != line[1]
