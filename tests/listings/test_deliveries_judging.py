"""Who is right about a delivery: the laws of the judge, and of envelopes for one contract."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import canonical
from contracts.log import merkle
from listings.deliveries import complaints, envelopes, judging, manifests
from listings.deliveries.complaints import BadComplaint, Filed
from listings.deliveries.envelopes import BadDeliveryKey, EnvelopeBroken
from listings.deliveries.judging import Complaint, Judgement, Reason, Verdict
from listings.deliveries.manifests import BadManifest
from tests.listings.deliveries_factory import KEY, MIB, Handover, film, handed

LENGTHS = (1, MIB, 2 * MIB, 2 * MIB + 5000)
OTHER = film(MIB, "another film")
Forgery = Callable[[Complaint, st.DataObject], Complaint]


@cache
def honest(length: int) -> Handover:
    return handed(film(length))


@cache
def dishonest(length: int, index: int, kind: str) -> Handover:
    plain = film(length)
    if kind == "damaged":
        return handed(plain, damaged=[index])
    return handed(plain, instead={index: OTHER[: len(plain[index * MIB : (index + 1) * MIB])]})


def verdict(delivery: Handover, complaint: Complaint, *, key: bytes = KEY) -> Judgement:
    return judging.judge(delivery.manifest, key, complaint)


@given(st.sampled_from(LENGTHS), st.sampled_from(["damaged", "other"]), st.data())
@settings(max_examples=25)
def test_invariant_40_every_segment_that_is_not_as_promised_is_upheld(
    length: int, kind: str, data: st.DataObject
) -> None:
    bad = data.draw(st.integers(0, honest(length).manifest.chunks - 1))
    delivery = dishonest(length, bad, kind)
    reason = {"damaged": Reason.DOES_NOT_OPEN, "other": Reason.OTHER_CONTENT}[kind]
    assert verdict(delivery, delivery.complaint(bad)) == Judgement(Verdict.UPHELD, reason)


@given(st.sampled_from(LENGTHS), st.data())
@settings(max_examples=25)
def test_invariant_40_every_honest_segment_is_rejected(length: int, data: st.DataObject) -> None:
    delivery = honest(length)
    index = data.draw(st.integers(0, delivery.manifest.segments - 1))
    judged = verdict(delivery, delivery.complaint(index))
    assert judged == Judgement(Verdict.REJECTED, Reason.AS_PROMISED)


def test_invariant_40_beside_a_bad_segment_the_good_ones_are_rejected() -> None:
    delivery = dishonest(2 * MIB + 5000, 1, "damaged")
    judged = [verdict(delivery, delivery.complaint(index)).verdict for index in range(3)]
    assert judged == [Verdict.REJECTED, Verdict.UPHELD, Verdict.REJECTED]


def test_invariant_40_the_empty_end_of_a_master_of_whole_mibs_is_judged_too() -> None:
    good, bad = honest(MIB), handed(film(MIB), damaged=[1])
    assert good.manifest.segments == good.manifest.chunks + 1
    assert verdict(good, good.complaint(1)).verdict is Verdict.REJECTED
    assert verdict(bad, bad.complaint(1)).reason is Reason.DOES_NOT_OPEN
    claimed = replace(good.complaint(1), chunk=bytes(32))
    assert verdict(good, claimed).verdict is Verdict.INVALID


def _path(name: str) -> Forgery:
    def forge(complaint: Complaint, data: st.DataObject) -> Complaint:
        path = list(getattr(complaint, name))
        how = data.draw(st.sampled_from(["flip", "drop", "add", "short", "reverse"]))
        if how == "add" or not path:
            path.append(data.draw(st.binary(min_size=32, max_size=32)))
        elif how == "drop":
            path.pop(data.draw(st.integers(0, len(path) - 1)))
        elif how == "short":
            path[0] = path[0][:-1]
        elif how == "reverse" and path[0] != path[-1]:
            path.reverse()
        else:
            path[-1] = bytes(one ^ 1 for one in path[-1])
        return replace(complaint, **{name: tuple(path)})

    return forge


FORGERIES: dict[str, Forgery] = {
    "a path of the ciphertext": _path("segment_path"),
    "a path of the master": _path("chunk_path"),
    "another segment": lambda one, data: replace(
        one,
        segment=bytes(len(one.segment))
        if data.draw(st.booleans())
        else one.segment[:-1] + bytes([one.segment[-1] ^ 1]),
    ),
    "a longer segment": lambda one, data: replace(
        one, segment=one.segment + data.draw(st.binary(min_size=1, max_size=9))
    ),
    "another chunk": lambda one, data: replace(
        one, chunk=data.draw(st.binary(min_size=32, max_size=32))
    ),
    "no chunk": lambda one, _: replace(one, chunk=None, chunk_path=()),
    "another place": lambda one, data: replace(
        one, index=data.draw(st.integers(-2, 9).filter(lambda at: at != one.index))
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("kind", ["honest", "damaged"])
@given(data=st.data())
@settings(max_examples=12)
def test_invariant_40_a_forged_complaint_never_wins_nor_loses(
    forgery: str, kind: str, data: st.DataObject
) -> None:
    length = 2 * MIB + 5000
    index = data.draw(st.integers(0, 2))
    delivery = honest(length) if kind == "honest" else dishonest(length, index, "damaged")
    forged = FORGERIES[forgery](delivery.complaint(index), data)
    assert verdict(delivery, forged).verdict is Verdict.INVALID


def test_invariant_40_another_key_decides_nothing() -> None:
    delivery = dishonest(MIB, 0, "damaged")
    judged = verdict(delivery, delivery.complaint(0), key=bytes(32))
    assert judged == Judgement(Verdict.INVALID, Reason.OTHER_KEY)
    other = replace(delivery, manifest=replace(delivery.manifest, sha256="ab" * 32))
    assert verdict(other, delivery.complaint(0)).reason is Reason.OTHER_KEY


@given(st.sampled_from(["honest", "damaged", "other"]), st.integers(0, 2))
@settings(max_examples=12)
def test_invariant_40_the_verdict_is_the_same_whoever_asks_and_however_often(
    kind: str, index: int
) -> None:
    """The licensee's file, read anew by the exchange and by a stranger, gives one verdict."""
    length = 2 * MIB + 5000
    delivery = honest(length) if kind == "honest" else dishonest(length, index, kind)
    filed = Filed(delivery.manifest, delivery.complaint(index), KEY)
    stranger = complaints.read(canonical.dumps(filed.kept()))
    exchange = complaints.read(json.dumps(filed.wire(), indent=3).encode())
    assert (stranger.key, exchange.key) == (KEY, None)
    assert stranger.digest() == exchange.digest() == filed.digest()
    told = {judging.judge(one.manifest, KEY, one.complaint) for one in (filed, stranger, exchange)}
    assert told == {verdict(delivery, delivery.complaint(index))}


def test_what_is_sent_of_a_complaint_does_not_hold_the_key() -> None:
    delivery = dishonest(MIB, 0, "damaged")
    filed = Filed(delivery.manifest, delivery.complaint(0), KEY)
    assert KEY.hex() not in canonical.dumps(filed.wire()).decode()
    assert filed.kept()["key"] == KEY.hex()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda said: said.pop("chunk"),
        lambda said: said.update(more=1),
        lambda said: said.update(typ="uhdx.delivery-complaint/v2"),
        lambda said: said.update(index="0"),
        lambda said: said.update(index=True),
        lambda said: said.update(segment_b64="*"),
        lambda said: said.update(chunk_path=["zz"]),
        lambda said: said.update(chunk_path=3),
        lambda said: said.update(key="00"),
    ],
)
def test_what_is_no_complaint_is_refused(spoil: Callable[[dict[str, object]], object]) -> None:
    delivery = honest(1)
    said = Filed(delivery.manifest, delivery.complaint(0), KEY).kept()
    spoil(said)
    with pytest.raises(BadComplaint):
        complaints.read(canonical.dumps(said))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda said: said.update(typ="x"),
        lambda said: said.update(more=1),
        lambda said: said["file"].update(bytes=0),
        lambda said: said["file"].update(bytes=True),
        lambda said: said["file"].update(bytes="1"),
        lambda said: said["file"].update(chunk_bytes=16384),
        lambda said: said["file"].update(sha256="AB" * 32),
        lambda said: said["cipher"].update(aead="AEAD_AES_128_GCM"),
        lambda said: said["cipher"].update(bytes=74),
        lambda said: said["cipher"].update(header="00"),
        lambda said: said["keys"].pop("escrow"),
    ],
)
def test_what_is_no_manifest_is_refused(
    spoil: Callable[[dict[str, dict[str, object]]], object],
) -> None:
    said = honest(1).manifest.wire()
    assert manifests.read(said) == honest(1).manifest
    spoil(said)
    with pytest.raises(BadManifest):
        manifests.read(said)


@given(st.binary(min_size=32, max_size=32), st.data())
@settings(max_examples=30)
def test_invariant_41_an_envelope_for_one_contract_opens_for_no_other(
    key: bytes, data: st.DataObject
) -> None:
    private = X25519PrivateKey.generate()
    digest = data.draw(st.binary(min_size=32, max_size=32)).hex()
    info = envelopes.for_release("UHDX-2026-AAAA-BBBB-CCCC-DDDD", digest)
    sealed = envelopes.seal(key, envelopes.public_of(private), info=info)
    assert len(sealed) == envelopes.SEALED_BYTES
    assert envelopes.unseal(sealed, private, info=info) == key
    manifest = honest(1).manifest
    others = (
        envelopes.for_release("UHDX-2026-AAAA-BBBB-CCCC-DDDE", digest),
        envelopes.for_release("UHDX-2026-AAAA-BBBB-CCCC-DDDD", "ab" * 32),
        envelopes.for_escrow(manifest),
        envelopes.for_licensor(manifest),
        b"",
    )
    for other in others:
        with pytest.raises(EnvelopeBroken):
            envelopes.unseal(sealed, private, info=other)
    with pytest.raises(EnvelopeBroken):
        envelopes.unseal(sealed, X25519PrivateKey.generate(), info=info)
    flipped = bytearray(sealed)
    flipped[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 6))
    with pytest.raises(EnvelopeBroken):
        envelopes.unseal(bytes(flipped), private, info=info)


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(33), bytes(32), b"\x01" + bytes(31)])
def test_nothing_is_sealed_to_what_is_no_key_or_a_weak_one(public: bytes) -> None:
    with pytest.raises(BadDeliveryKey):
        envelopes.check_public(public)


def test_a_delivery_key_is_read_with_its_password_alone() -> None:
    private = envelopes.generate()
    locked = envelopes.written(private, b"word")
    assert envelopes.is_locked(locked) and not envelopes.is_locked(envelopes.written(private))
    assert envelopes.public_of(envelopes.read(locked, b"word")) == envelopes.public_of(private)
    for pem, password in ((locked, b"other"), (locked, None), (b"no key", None)):
        with pytest.raises(BadDeliveryKey):
            envelopes.read(pem, password)


def test_the_tree_over_segments_is_the_tree_of_the_log() -> None:
    delivery = honest(2 * MIB + 5000)
    complaint = delivery.complaint(2)
    hashed = merkle.leaf_hash(complaint.segment)
    root = delivery.manifest.segment_root
    assert merkle.includes(2, 3, hashed, complaint.segment_path, root)
