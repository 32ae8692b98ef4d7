"""The group of P-256 as far as public points need it: reading, writing, adding.

Source: FIPS 186-5 and SP 800-186 §3.2.1.3 (the curve), SEC 1 §2.3.3 (uncompressed points).
Differs from the source: only public points are added here, so the arithmetic need not hide its
timing; everything secret is done in `envelope.py`, by OpenSSL.
"""

from dataclasses import dataclass

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_A = -3
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
POINT_BYTES = 65


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the curve other than the one at infinity."""

    x: int
    y: int


def read(raw: bytes) -> Point:
    """Read an uncompressed point.

    Raises:
        ValueError: it has another form, or does not lie on the curve.
    """
    if len(raw) != POINT_BYTES or raw[0] != 4:
        raise ValueError("this is no uncompressed point")
    x, y = int.from_bytes(raw[1:33]), int.from_bytes(raw[33:])
    if not (x < P and y < P) or (y * y - (x * x * x + _A * x + _B)) % P:
        raise ValueError("this point does not lie on P-256")
    return Point(x, y)


def write(point: Point) -> bytes:
    """Return the uncompressed form, 65 bytes."""
    return b"\x04" + point.x.to_bytes(32) + point.y.to_bytes(32)


def add(one: Point | None, other: Point | None) -> Point | None:
    """Return the sum; None is the point at infinity."""
    if one is None or other is None:
        return one or other
    if one.x == other.x and (one.y + other.y) % P == 0:
        return None
    if one == other:
        slope = (3 * one.x * one.x + _A) * pow(2 * one.y, -1, P) % P
    else:
        slope = (other.y - one.y) * pow(other.x - one.x, -1, P) % P
    x = (slope * slope - one.x - other.x) % P
    return Point(x, (slope * (one.x - x) - one.y) % P)
