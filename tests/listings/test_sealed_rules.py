import base64
import itertools
import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import canonical
from listings.sealed import ceremony, commitment, curve, envelope, opening, sharing
from listings.sealed.ceremony import FalseShare
from listings.sealed.commitment import BadSeal, prefixed
from listings.sealed.curve import N
from listings.sealed.envelope import SealBroken, TooLongToSeal
from listings.sealed.opening import BadOpeningKey
from listings.sealed.sharing import HOLDERS
from tests.listings.sealed_factory import AUCTION, LISTING, Ceremony, ceremony_of, openssl

CONTENT = {"amount_minor": 123_456_789, "currency": "CNY"}
OTHER = UUID("0199a3c0-7d10-7c3e-9c50-3f1f6a1f0aff")


@pytest.fixture(scope="module")
def held() -> Ceremony:
    return ceremony_of()


# the key


def test_a_key_reads_as_it_was_written_and_names_no_secret(held: Ceremony) -> None:
    wire = held.wire
    assert opening.read(json.loads(json.dumps(wire)), auction=AUCTION) == wire
    text = json.dumps([wire, held.files])
    for secret in (*held.shares.values(), sharing.join(dict(list(held.shares.items())[:2]))):
        assert secret.to_bytes(32).hex() not in text
        assert str(secret) not in text


def changed(wire: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(wire))
    target: Any = copy
    *way, last = path.split(".")
    for step in way:
        target = target[int(step) if step.isdigit() else step]
    target[last] = value
    return dict(copy)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 2), ("version", True), ("auction", str(OTHER)), ("auction", "no"),
        ("auction", AUCTION.hex), ("public", "04"), ("plain_bytes", 255), ("plain_bytes", "1024"),
        ("plain_bytes", True), ("plain_bytes", 2**20), ("reveal_s", 1), ("reveal_s", 10**9),
        ("more", 1), ("shares", []), ("shares", None), ("shares.0.x", 2),
        ("shares.0.holder", "auditor"), ("shares.1.more", 1), ("shares.2.point", 5),
    ],
)  # fmt: skip
def test_a_key_with_a_fault_is_refused(held: Ceremony, path: str, value: Any) -> None:
    with pytest.raises(BadOpeningKey):
        opening.read(changed(held.wire, path, value), auction=AUCTION)


@pytest.mark.parametrize("value", [None, [], "key", 5, {}])
def test_what_is_no_key_is_refused(value: Any) -> None:
    with pytest.raises(BadOpeningKey):
        opening.read(value, auction=AUCTION)


@pytest.mark.parametrize("place", ["shares.0.point", "shares.1.point", "shares.2.point", "public"])
def test_a_point_of_another_key_is_found_wherever_it_stands(held: Ceremony, place: str) -> None:
    strange = curve.write(openssl(77)).hex()
    with pytest.raises(BadOpeningKey, match="shares do not belong"):
        opening.read(changed(held.wire, place, strange), auction=AUCTION)


def test_a_key_of_which_every_share_is_the_whole_is_refused(held: Ceremony) -> None:
    wire = held.wire
    for place in range(3):
        wire = changed(wire, f"shares.{place}.point", wire["public"])
    with pytest.raises(BadOpeningKey, match="shares do not belong"):
        opening.read(wire, auction=AUCTION)


def test_a_holder_shows_that_it_has_its_share_and_nobody_else_can(held: Ceremony) -> None:
    points = held.opening.points
    other = ceremony_of(OTHER)
    for holder in HOLDERS:
        signature = bytes.fromhex(held.acknowledged(holder))
        assert envelope.has_share(points[holder], held.opening, signature)
        assert not envelope.has_share(points[holder], other.opening, signature)
        for stranger in set(HOLDERS) - {holder}:
            assert not envelope.has_share(points[stranger], held.opening, signature)
    assert not envelope.has_share(points["seller"], held.opening, b"no signature")


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_share_file_opens_for_its_holder_alone(held: Ceremony, holder: str) -> None:
    file, mine = held.files[holder], held.keys[holder]
    assert ceremony.read_share(file, opening=held.opening, private=mine) == held.shares[holder]
    faults = [
        (file, held.keys[next(h for h in HOLDERS if h != holder)]),
        ({**file, "holder": next(h for h in HOLDERS if h != holder)}, mine),
        ({**file, "holder": "nobody"}, mine),
        ({**file, "opening_sha256": "0" * 64}, mine),
        ({**file, "sealed": file["sealed"][:-4]}, mine),
        ({**file, "sealed": 5}, mine),
        ({}, mine),
    ]
    for wrong, key in faults:
        with pytest.raises(FalseShare):
            ceremony.read_share(wrong, opening=held.opening, private=key)


def test_a_dealer_that_hands_out_a_false_share_is_found_by_its_holder(held: Ceremony) -> None:
    false = ceremony.share_file(
        held.opening, "seller", held.shares["seller"] + 1, to=envelope.point_of(held.keys["seller"])
    )
    with pytest.raises(FalseShare, match="not the share"):
        ceremony.read_share(false, opening=held.opening, private=held.keys["seller"])


@pytest.mark.parametrize("share", [0, N, -1, 2**256 - 1])
def test_a_share_out_of_range_is_false(held: Ceremony, share: int) -> None:
    with pytest.raises(FalseShare):
        ceremony.check_share(held.opening, "seller", share)


def test_parts_of_three_makers_add_up_to_a_key_that_none_of_them_had() -> None:
    parts = [ceremony_of() for _ in range(3)]
    whole = ceremony.combined([part.opening for part in parts])
    assert opening.parse(whole.wire(), auction=AUCTION) == whole
    shares = {
        holder: ceremony.combined_share([part.shares[holder] for part in parts])
        for holder in HOLDERS
    }
    for holder in HOLDERS:
        ceremony.check_share(whole, holder, shares[holder])
    sealed = envelope.seal(whole, listing=LISTING, paddle=3, content=CONTENT)
    key = sharing.join({"seller": shares["seller"], "auditor": shares["auditor"]})
    assert envelope.unseal(key, sealed.content, auction=AUCTION, paddle=3)[0] == CONTENT
    for part in parts:  # what one maker knows opens nothing
        alone = sharing.join({"seller": part.shares["seller"], "auditor": part.shares["auditor"]})
        with pytest.raises(SealBroken):
            envelope.unseal(alone, sealed.content, auction=AUCTION, paddle=3)


def test_parts_that_do_not_belong_together_are_not_added(held: Ceremony) -> None:
    for other in (
        ceremony_of(OTHER),
        ceremony_of(plain_bytes=2048),
        ceremony_of(reveal_s=600),
        held,
    ):
        with pytest.raises(BadOpeningKey):
            ceremony.combined([held.opening, other.opening])


# commitments


CONTENTS = st.dictionaries(
    st.sampled_from(["amount_minor", "currency", "values", "x"]),
    st.integers(0, 2**53 - 1) | st.text("ab中", max_size=4),
    max_size=4,
)
NONCES = st.binary(min_size=32, max_size=32)


@given(st.uuids(), st.uuids(), st.integers(1, 10**6), CONTENTS, NONCES)
def test_a_commitment_is_the_hash_that_the_rule_says(
    auction: UUID, listing: UUID, paddle: int, content: dict[str, Any], nonce: bytes
) -> None:
    made = commitment.of(
        auction=auction, listing=listing, paddle=paddle, content=content, nonce=nonce
    )
    parts = [auction.bytes, listing.bytes, b"%d" % paddle, canonical.dumps(content), nonce]
    raw = b"uhdx/bid-commitment/v1\x00" + b"".join(len(p).to_bytes(4) + p for p in parts)
    assert made == canonical.sha256_hex(raw)


@given(st.lists(st.binary(max_size=6), max_size=5), st.lists(st.binary(max_size=6), max_size=5))
def test_parts_after_their_lengths_are_never_read_as_other_parts(
    one: list[bytes], other: list[bytes]
) -> None:
    joined = [b"".join(map(prefixed, parts)) for parts in (one, other)]
    assert (joined[0] == joined[1]) == (one == other)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_nonce_of_another_length_is_a_mistake(size: int) -> None:
    with pytest.raises(ValueError, match="32"):
        commitment.of(auction=AUCTION, listing=LISTING, paddle=1, content={}, nonce=b"n" * size)


# sealed texts


@settings(max_examples=40)
@given(amount=st.integers(1, 10**15), paddle=st.integers(1, 999))
def test_a_sealed_bid_opens_with_the_key_to_what_was_sealed(
    held: Ceremony, amount: int, paddle: int
) -> None:
    content = {"amount_minor": amount, "currency": "CNY"}
    sealed = envelope.seal(held.opening, listing=LISTING, paddle=paddle, content=content)
    commitment.check(sealed.content, plain_bytes=1024)
    for pair in itertools.combinations(HOLDERS, 2):
        key = sharing.join({holder: held.shares[holder] for holder in pair})
        opened, nonce = envelope.unseal(key, sealed.content, auction=AUCTION, paddle=paddle)
        assert (opened, nonce) == (content, sealed.nonce)
        assert sealed.content["commitment"] == commitment.of(
            auction=AUCTION, listing=LISTING, paddle=paddle, content=opened, nonce=nonce
        )


@given(amount=st.integers(1, 2**53 - 1))
@settings(max_examples=20)
def test_every_sealed_bid_of_an_auction_has_one_length(held: Ceremony, amount: int) -> None:
    content = {"amount_minor": amount, "currency": "CNY"}
    sealed = envelope.seal(held.opening, listing=LISTING, paddle=1, content=content)
    raw = base64.b64decode(sealed.content["sealed"])
    assert len(raw) == 1024 + commitment.OVERHEAD
    assert str(amount).encode() not in raw or amount < 1000


def test_a_bid_too_long_to_be_sealed_is_refused() -> None:
    small = ceremony_of(plain_bytes=256).opening
    with pytest.raises(TooLongToSeal):
        envelope.seal(small, listing=LISTING, paddle=1, content={"text": "x" * 200})


def key_of(held: Ceremony) -> int:
    return sharing.join({"seller": held.shares["seller"], "exchange": held.shares["exchange"]})


def test_invariant_22_a_copied_seal_opens_for_nobody_else_and_nowhere_else(held: Ceremony) -> None:
    sealed = envelope.seal(held.opening, listing=LISTING, paddle=7, content=CONTENT)
    for auction, paddle in [(AUCTION, 8), (OTHER, 7), (AUCTION, 77)]:
        with pytest.raises(SealBroken):
            envelope.unseal(key_of(held), sealed.content, auction=auction, paddle=paddle)
    changes = [
        {"auction": OTHER}, {"listing": OTHER}, {"paddle": 8}, {"nonce": b"n" * 32},
        {"content": {**CONTENT, "amount_minor": 123_456_790}},
    ]  # fmt: skip
    said: dict[str, Any] = {
        "auction": AUCTION, "listing": LISTING, "paddle": 7, "content": CONTENT,
        "nonce": sealed.nonce,
    }  # fmt: skip
    assert commitment.of(**said) == sealed.content["commitment"]
    for change in changes:
        assert commitment.of(**{**said, **change}) != sealed.content["commitment"]


@settings(max_examples=60)
@given(place=st.integers(0, 1024 + commitment.OVERHEAD - 1), bit=st.integers(0, 7))
def test_a_single_bit_changed_anywhere_breaks_the_seal(
    held: Ceremony, place: int, bit: int
) -> None:
    sealed = envelope.seal(held.opening, listing=LISTING, paddle=7, content=CONTENT)
    raw = bytearray(base64.b64decode(sealed.content["sealed"]))
    raw[place] ^= 1 << bit
    with pytest.raises(SealBroken):
        envelope.unseal(
            key_of(held), {**sealed.content, "sealed": commitment.encoded(bytes(raw))},
            auction=AUCTION, paddle=7,
        )  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        {}, {"commitment": "0" * 64}, {"commitment": "0" * 64, "sealed": ""},
        {"commitment": "0" * 64, "sealed": 5}, {"commitment": 5, "sealed": ""},
        {"commitment": "0" * 64, "sealed": "é"},
    ],
    ids=["nothing", "no text", "empty", "a number", "no hash", "no base64"],
)  # fmt: skip
def test_a_content_that_is_no_sealed_bid_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(BadSeal):
        commitment.check(content, plain_bytes=1024)


def test_a_seal_cut_grown_or_dressed_up_is_refused(held: Ceremony) -> None:
    good = envelope.seal(held.opening, listing=LISTING, paddle=7, content=CONTENT).content
    commitment.check(good, plain_bytes=1024)
    raw = base64.b64decode(good["sealed"])
    faults: list[dict[str, Any]] = [
        {**good, "sealed": commitment.encoded(raw[:-1])},
        {**good, "sealed": commitment.encoded(raw + b"\0")},
        {**good, "sealed": commitment.encoded(b"\x02" + raw[1:])},
        {**good, "sealed": good["sealed"] + "\n"},
        {**good, "sealed": good["sealed"].rstrip("=")},
        {**good, "commitment": good["commitment"].upper()},
        {**good, "commitment": good["commitment"] + "\n"},
        {**good, "amount_minor": 5},
    ]
    for fault in faults:
        if fault == good:
            continue
        with pytest.raises(BadSeal):
            commitment.check(fault, plain_bytes=1024)
    with pytest.raises(BadSeal):
        commitment.check(good, plain_bytes=2048)


POISON = {
    "no JSON": b"{",
    "deep": b'{"content":' + b"[" * 900 + b"]" * 900 + b',"nonce":"' + b"00" * 32 + b'"}',
    "deep inside": b'{"content":{"x":'
    + b"[" * 400
    + b"]" * 400
    + b'},"nonce":"'
    + b"00" * 32
    + b'"}',
    "long number": b'{"content":' + b"9" * 5000 + b',"nonce":"' + b"00" * 32 + b'"}',
    "NaN": b'{"content":NaN,"nonce":"' + b"00" * 32 + b'"}',
    "float": b'{"content":{"amount_minor":1.5},"nonce":"' + b"00" * 32 + b'"}',
    "a name twice": b'{"content":1,"content":2,"nonce":"' + b"00" * 32 + b'"}',
    "half a surrogate": b'{"content":{"currency":"\\ud800"},"nonce":"' + b"00" * 31 + b'"}',
    "no nonce": b'{"content":{}}',
    "short nonce": b'{"content":{},"nonce":"00"}',
    "nonce is no text": b'{"content":{},"nonce":5}',
    "more": b'{"content":{},"more":1,"nonce":"' + b"00" * 32 + b'"}',
    "an array": b"[]",
    "null": b"null",
}


@pytest.mark.parametrize("said", POISON.values(), ids=POISON.keys())
def test_poison_under_a_good_seal_is_a_broken_seal_and_never_a_crash(said: bytes) -> None:
    held = ceremony_of(plain_bytes=8192)
    plain = prefixed(said).ljust(8192, b"\0")
    promised = "0" * 64
    about = envelope._about(AUCTION, 7, promised)
    raw = envelope.box(held.opening.public, plain, label=envelope.BID, about=about)
    content = {"commitment": promised, "sealed": commitment.encoded(raw)}
    with pytest.raises(SealBroken):
        envelope.unseal(key_of(held), content, auction=AUCTION, paddle=7)


@pytest.mark.parametrize("plain", [b"\xff\xff\xff\xff".ljust(300, b"\0"), b"\0\0\0\1{x".ljust(300)])
def test_a_filling_that_is_not_nought_is_a_broken_seal(held: Ceremony, plain: bytes) -> None:
    about = envelope._about(AUCTION, 7, "0" * 64)
    raw = envelope.box(held.opening.public, plain, label=envelope.BID, about=about)
    content = {"commitment": "0" * 64, "sealed": commitment.encoded(raw)}
    with pytest.raises(SealBroken):
        envelope.unseal(key_of(held), content, auction=AUCTION, paddle=7)
