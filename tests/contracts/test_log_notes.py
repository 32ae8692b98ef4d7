import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from contracts.log import checkpoint, merkle, note, proof
from contracts.log.checkpoint import Checkpoint
from contracts.log.note import BadNote, BadVerifierKey, Signer, UntrustedNote, Verifier
from contracts.log.proof import Proof

ORIGIN = "log.uhdx.example/2026"
LOG = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
OTHER = Signer("witness.uhdx.example/w1", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
# The example in the documentation of the Go package golang.org/x/mod/sumdb/note.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM=\n"
)


def log_of(count: int) -> tuple[list[bytes], list[Proof]]:
    entries = [f"entry {index}".encode() for index in range(count)]
    tree = merkle.grow(0, [merkle.leaf_hash(entry) for entry in entries], lambda _: b"")
    root = merkle.root(count, tree.__getitem__)
    signed = LOG.sign(Checkpoint(ORIGIN, count, root).text)
    proofs = [
        Proof(index, tuple(merkle.inclusion_proof(index, count, tree.__getitem__)), signed)
        for index in range(count)
    ]
    return entries, proofs


def test_a_note_signed_by_another_program_opens() -> None:
    text = note.open_note(GO_NOTE, trusted=[Verifier.parse(GO_VKEY)])
    assert text.startswith("If you think")


@given(st.binary(min_size=32, max_size=32))
def test_a_verifier_key_reads_back_even_with_plus_signs_in_its_base64(key: bytes) -> None:
    verifier = Verifier(ORIGIN, key)
    assert Verifier.parse(verifier.vkey) == verifier


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        GO_VKEY.replace("c74f20a3", "c74f20a4"),
        GO_VKEY.replace("c74f20a3", "C74F20A3"),
        GO_VKEY.replace("PeterNeumann", "Peter Neumann"),
        GO_VKEY.replace("+ARpc", "+BBpc"),
        GO_VKEY[:-1],
        GO_VKEY + "=",
        "+" + GO_VKEY,
    ],
)
def test_a_bad_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(BadVerifierKey):
        Verifier.parse(vkey)


@given(st.integers(0, len(GO_NOTE.encode()) - 1), st.integers(0, 7))
def test_a_note_with_one_flipped_bit_never_opens(place: int, bit: int) -> None:
    raw = bytearray(GO_NOTE.encode())
    raw[place] ^= 1 << bit
    with pytest.raises((BadNote, UntrustedNote, UnicodeDecodeError)):
        note.open_note(raw.decode(), trusted=[Verifier.parse(GO_VKEY)])


def test_unknown_signatures_are_passed_over() -> None:
    text = "a\n"
    line = OTHER.sign(text).removeprefix("a\n\n")
    both = LOG.sign(text) + line
    assert note.open_note(both, trusted=[LOG.verifier]) == text
    assert note.open_note(both, trusted=[OTHER.verifier, LOG.verifier]) == text
    with pytest.raises(UntrustedNote):
        note.open_note(OTHER.sign(text), trusted=[LOG.verifier])


def test_one_bad_signature_of_a_known_key_spoils_the_note() -> None:
    stolen = OTHER.sign("b\n").removeprefix("b\n\n")
    with pytest.raises(UntrustedNote):
        note.open_note(LOG.sign("a\n") + stolen, trusted=[LOG.verifier, OTHER.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n",
        "a\n\n",
        "a\n\nb\n",
        "a\n\n— x\n",
        "a\n\n— x AAAA\n",
        "a\n\n— x AAAAAAA=",
        "a\tb\n\n— x AAAAAAA=\n",
        "a\n\n- x AAAAAAA=\n",
        "a\n\n— x+y AAAAAAA=\n",
        "a\n\n" + "— x AAAAAAA=\n" * 65,
        "a" * (1 << 20) + "\n\n— x AAAAAAA=\n",
    ],
)
def test_what_is_not_a_note_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        note.parse(text)


def test_a_text_that_cannot_be_a_note_is_not_signed() -> None:
    with pytest.raises(BadNote):
        LOG.sign("no newline")


ROOT64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n07\n{ROOT64}\n",
        f"{ORIGIN}\n-1\n{ROOT64}\n",
        f"\n7\n{ROOT64}\n",
        f"{ORIGIN}\n7\n{ROOT64[:-4]}\n",
        f"{ORIGIN}\n7\n{ROOT64}\n\nextension\n",
        f"{ORIGIN}\n7\n{ROOT64}\nextension",
        f"{ORIGIN}\n7\n",
        f"{ORIGIN}\n7\n{ROOT64}",
        f"{ORIGIN}\n٧\n{ROOT64}\n",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        checkpoint.parse(text)


def test_a_checkpoint_reads_back_and_another_logs_is_refused() -> None:
    made = Checkpoint(ORIGIN, 7, merkle.EMPTY_ROOT)
    signed = LOG.sign(made.text)
    opened = checkpoint.open_checkpoint(signed, origin=ORIGIN, trusted=[LOG.verifier])
    assert opened == made
    with pytest.raises(UntrustedNote):
        checkpoint.open_checkpoint(signed, origin="elsewhere", trusted=[LOG.verifier])


@given(st.integers(1, 20), st.data())
def test_a_proof_reads_back_and_proves_its_own_leaf_only(count: int, data: st.DataObject) -> None:
    entries, proofs = log_of(count)
    index = data.draw(st.integers(0, count - 1))
    read = proof.parse(proofs[index].text)
    assert read == proofs[index]
    assert proof.check(read, entries[index], origin=ORIGIN, trusted=[LOG.verifier]).size == count
    with pytest.raises(UntrustedNote):
        proof.check(read, b"another leaf", origin=ORIGIN, trusted=[LOG.verifier])


@given(st.binary(max_size=40))
def test_extra_data_travels_with_a_proof(extra: bytes) -> None:
    _, proofs = log_of(3)
    made = Proof(1, proofs[1].hashes, proofs[1].checkpoint, extra)
    assert proof.parse(made.text) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v2\nindex 0\n\nx",
        "c2sp.org/tlog-proof@v1\n\nx",
        "c2sp.org/tlog-proof@v1\nindex 01\n\nx",
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx",
        "c2sp.org/tlog-proof@v1\nindex 0\n!\n\nx",
        "c2sp.org/tlog-proof@v1\nindex 0\n",
        "c2sp.org/tlog-proof@v1\nextra !\nindex 0\n\nx",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + f"{ROOT64}\n" * 64 + "\nx",
    ],
)
def test_what_is_not_a_proof_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        proof.parse(text)
