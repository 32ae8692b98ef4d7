"""The group of sealed bids' keys, checked by OpenSSL, and the sharing of a secret in it."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listings.sealed import curve, sharing
from listings.sealed.curve import N, P, Point
from listings.sealed.sharing import HOLDERS
from tests.listings.sealed_factory import openssl

SCALARS = st.integers(1, N - 1)


# the group: OpenSSL is the oracle


@settings(max_examples=60)
@given(SCALARS, SCALARS)
def test_the_sum_of_two_points_is_the_point_of_the_sum(one: int, other: int) -> None:
    total = (one + other) % N
    wanted = openssl(total) if total else None
    assert curve.add(openssl(one), openssl(other)) == wanted


@settings(max_examples=30)
@given(SCALARS)
def test_a_point_and_its_opposite_are_nothing_and_nothing_adds_nothing(one: int) -> None:
    point = openssl(one)
    assert curve.add(point, openssl(N - one)) is None
    assert curve.add(point, None) == curve.add(None, point) == point
    assert curve.add(point, point) == (openssl(2 * one % N))
    assert curve.read(curve.write(point)) == point


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x04" * 64, b"\x02" + b"\x01" * 64, b"\x04" + b"\x01" * 64, b"\x04" + b"\xff" * 64],
    ids=["empty", "short", "compressed", "off the curve", "beyond the field"],
)
def test_a_point_that_is_none_is_not_read(raw: bytes) -> None:
    with pytest.raises(ValueError, match="point"):
        curve.read(raw)


def test_a_coordinate_written_beyond_the_field_is_not_read_as_the_one_below_it() -> None:
    x = next(n for n in range(5, 200) if pow(n**3 - 3 * n + curve._B, (P - 1) // 2, P) == 1)
    y = pow((x**3 - 3 * x + curve._B) % P, (P + 1) // 4, P)
    assert curve.read(b"\x04" + x.to_bytes(32) + y.to_bytes(32)) == Point(x, y)
    with pytest.raises(ValueError, match="point"):
        curve.read(b"\x04" + (x + P).to_bytes(32) + y.to_bytes(32))


# sharing


@given(SCALARS, SCALARS)
def test_any_two_shares_give_the_secret_back(secret: int, slope: int) -> None:
    try:
        shares = sharing.split(secret, slope)
    except ValueError:
        return
    for pair in itertools.permutations(HOLDERS, 2):
        assert sharing.join({holder: shares[holder] for holder in pair}) == secret


@given(SCALARS, SCALARS, st.sampled_from(HOLDERS))
def test_one_share_fits_every_secret_alike(share: int, secret: int, holder: str) -> None:
    slope = (share - secret) * pow(sharing.PLACE[holder], -1, N) % N
    assert (secret + slope * sharing.PLACE[holder]) % N == share


@given(SCALARS, SCALARS, SCALARS, st.sampled_from(list(itertools.permutations(HOLDERS, 2))))
def test_a_false_share_gives_another_secret(
    secret: int, slope: int, false: int, pair: tuple[str, str]
) -> None:
    try:
        shares = sharing.split(secret, slope)
    except ValueError:
        return
    got = sharing.join({pair[0]: shares[pair[0]], pair[1]: false})
    assert (got == secret) == (false == shares[pair[1]])


@pytest.mark.parametrize("holders", [(), HOLDERS[:1], HOLDERS])
def test_one_share_or_three_at_once_give_nothing(holders: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="two"):
        sharing.join(dict.fromkeys(holders, 5))
