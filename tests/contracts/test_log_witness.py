"""Cosignatures, policies, and what a witness cosigns: pure, and in its folder."""

import base64
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from contracts.log import checkpoint, cosignature, merkle, note, policy, witness
from contracts.log.cosignature import CosignatureSigner, Cosigner
from contracts.log.merkle import Node
from contracts.log.note import BadVerifierKey, Signer, UntrustedNote, Verifier
from contracts.log.policy import PolicyUnreadable, QuorumNotMet
from contracts.log.witness import (
    Asked,
    BadWitnessRequest,
    CheckpointNotSigned,
    LogNotWitnessed,
    NotConsistent,
    OtherOldSize,
    TwoRoots,
)
from contracts.log.witness_folder import STATE_FILE, WitnessFolder, WitnessNotReady
from tests.contracts.log_factory import ORIGIN

AT = 1_795_338_000
LEAVES = [merkle.leaf_hash(f"leaf {number}".encode()) for number in range(70)]
FORKED = [*LEAVES[:20], *(merkle.leaf_hash(f"other {number}".encode()) for number in range(50))]
SIGNER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
NAMES = ("lic", "lee", "aud")
WITNESSES = {
    name: CosignatureSigner(
        f"{name}.example/w1", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    )
    for number, name in enumerate(NAMES, start=10)
}


def tree(leaves: list[bytes]) -> dict[Node, bytes]:
    return merkle.grow(0, leaves, {}.__getitem__)


def signed(size: int, leaves: list[bytes] = LEAVES, signer: Signer = SIGNER) -> str:
    root = merkle.root(size, tree(leaves).__getitem__)
    return signer.sign(checkpoint.Checkpoint(signer.name, size, root).text)


def asked(old: int, size: int, leaves: list[bytes] = LEAVES) -> Asked:
    proof = merkle.consistency_proof(old, size, tree(leaves).__getitem__) if 0 < old < size else []
    return Asked(old, tuple(proof), signed(size, leaves))


def cosigned(size: int, *names: str, leaves: list[bytes] = LEAVES) -> str:
    said = signed(size, leaves)
    text = note.parse(said)[0]
    return said + "".join(WITNESSES[name].cosign(text, time_s=AT) for name in names)


def policy_text(quorum: str = "any2") -> str:
    lines = [f"log {SIGNER.verifier.vkey} https://log.example", "", "\t# our witnesses"]
    lines += [f"witness {name} {WITNESSES[name].cosigner.vkey}" for name in NAMES]
    lines += ["group any2 2 lic  lee\taud", f"quorum {quorum}"]
    return "\n".join(lines) + "\n"


def a_witness(folder: Path) -> WitnessFolder:
    return WitnessFolder.init(folder, name="w.example/w1", logs=[SIGNER.verifier])


def test_the_example_of_the_standard_has_the_id_that_its_line_shows() -> None:
    """C2SP tlog-cosignature prints this line; its time is readable without the key."""
    line = (
        "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+"
        "mbIUBkBIfZ+qnA=="
    )
    raw = base64.b64decode(line)
    assert len(raw) == note.KEY_ID_BYTES + 8 + cosignature.SIGNATURE_BYTES[cosignature.ED25519]
    assert int.from_bytes(raw[4:12], "big") == 1679315147


def test_what_a_witness_signs_is_two_lines_and_the_checkpoint() -> None:
    body = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert cosignature.message(body, 1679315147) == (
        b"cosignature/v1\ntime 1679315147\n" + body.encode()
    )


def test_the_id_of_a_witness_key_is_of_type_4() -> None:
    key = WITNESSES["lic"].cosigner
    hashed = hashlib.sha256(key.name.encode() + b"\n\x04" + key.key).digest()
    assert key.key_id == hashed[:4]
    assert Cosigner.parse(key.vkey) == key
    with pytest.raises(BadVerifierKey):
        Verifier.parse(key.vkey)
    with pytest.raises(BadVerifierKey):
        Cosigner.parse(SIGNER.verifier.vkey)


@given(st.integers(min_value=0, max_value=8 * 72 - 1))
def test_a_cosignature_with_any_bit_changed_is_not_one(bit: int) -> None:
    said = cosigned(9, "lic")
    text, lines = note.parse(said)
    assert cosignature.found(said, WITNESSES["lic"].cosigner) == AT
    raw = bytearray(lines[1].signature)
    raw[bit // 8] ^= 1 << bit % 8
    changed = note.Signature(lines[1].name, lines[1].key_id, bytes(raw))
    with pytest.raises(UntrustedNote):
        WITNESSES["lic"].cosigner.time_of(changed, text)


def test_a_cosignature_is_of_one_checkpoint_and_leaves_the_logs_own_line_valid() -> None:
    said = cosigned(9, "lic", "lee")
    assert checkpoint.open_checkpoint(said, origin=ORIGIN, trusted=[SIGNER.verifier]).size == 9
    moved = signed(10) + said.split("\n\n")[1].split("\n", 1)[1]
    with pytest.raises(UntrustedNote):
        cosignature.found(moved, WITNESSES["lic"].cosigner)
    assert cosignature.found(said, WITNESSES["aud"].cosigner) is None


@pytest.mark.parametrize(
    ("names", "missing"),
    [((), 2), (("lic",), 1), (("lic", "aud"), 0), (("lic", "lee", "aud"), 0)],
)
def test_a_quorum_of_two_in_three_takes_two(names: tuple[str, ...], missing: int) -> None:
    read = policy.parse(policy_text())
    judged = policy.judge(cosigned(9, *names), read, origin=ORIGIN)
    assert (judged.checkpoint.size, sorted(judged.cosigned), judged.missing) == (
        9, sorted(names), missing,
    )  # fmt: skip
    assert set(judged.cosigned.values()) <= {AT}
    if missing:
        with pytest.raises(QuorumNotMet):
            policy.open_cosigned(cosigned(9, *names), read)
    else:
        assert policy.open_cosigned(cosigned(9, *names), read) == judged


def test_one_witness_twice_is_one_witness() -> None:
    judged = policy.judge(cosigned(9, "lic", "lic"), policy.parse(policy_text()))
    assert (len(judged.cosigned), judged.missing) == (1, 1)


def test_a_wrong_line_of_a_known_witness_spoils_the_note_and_a_strangers_does_not() -> None:
    read = policy.parse(policy_text())
    stranger = CosignatureSigner("x.example", Ed25519PrivateKey.from_private_bytes(b"\x63" * 32))
    text = note.parse(signed(9))[0]
    said = cosigned(9, "lic", "lee") + stranger.cosign("another text\n", time_s=AT)
    assert policy.judge(said, read).missing == 0
    wrong = WITNESSES["aud"].cosign(text.replace("\n9\n", "\n8\n"), time_s=AT)
    with pytest.raises(UntrustedNote):
        policy.judge(cosigned(9, "lic", "lee") + wrong, read)


def test_a_log_that_the_policy_does_not_name_is_not_trusted() -> None:
    other = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
    with pytest.raises(UntrustedNote):
        policy.judge(signed(9, signer=other), policy.parse(policy_text()))
    elsewhere = Signer("elsewhere.example", SIGNER.private)
    with pytest.raises(UntrustedNote):
        policy.judge(signed(9, signer=elsewhere), policy.parse(policy_text()))


def test_groups_of_groups_are_judged_and_the_least_that_is_missing_is_told() -> None:
    keys = [
        CosignatureSigner(f"w{number}", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))
        for number in range(1, 7)
    ]
    lines = [f"witness W{n} {key.cosigner.vkey}" for n, key in enumerate(keys, start=1)]
    lines += ["group X 2 W1 W2 W3", "group Y any W4 W5 W6", "group both all X Y", "quorum both"]
    read = policy.parse("\n".join(lines))
    some: list[list[str]] = [[], ["W4", "W5", "W6"], ["W1", "W4"], ["W1", "W3"]]
    assert [read.missing(names) for names in some] == [3, 2, 1, 1]
    assert read.missing(["W2", "W3", "W6"]) == 0


def test_a_policy_without_quorum_asks_for_nobody() -> None:
    read = policy.parse(policy_text("none"))
    assert (read.demands, policy.judge(signed(9), read).missing) == (False, 0)


def broken_policies() -> dict[str, str]:
    good, key = policy_text(), WITNESSES["lic"].cosigner.vkey
    return {
        "no quorum": good.replace("quorum any2\n", ""),
        "two quorums": good + "quorum any2\n",
        "quorum that nothing names": good.replace("quorum any2", "quorum all3"),
        "group above its members": "group g any lic\n" + good,
        "member of two groups": good.replace("quorum", "group g any lic\nquorum"),
        "member twice": good.replace("lee\taud", "lee lee"),
        "none as a member": good.replace("lee\taud", "lee none"),
        "none as a name": good.replace("witness aud", "witness none"),
        "name taken": good.replace("group any2", "group lic"),
        "threshold too high": good.replace("any2 2", "any2 4"),
        "threshold zero": good.replace("any2 2", "any2 0"),
        "threshold with a leading zero": good.replace("any2 2", "any2 02"),
        "threshold in other digits": good.replace("any2 2", "any2 \u0662"),
        "no members": good.replace("lic  lee\taud", ""),
        "key of a log as a witness": good.replace(key, SIGNER.verifier.vkey),
        "key of a witness as a log": good.replace(SIGNER.verifier.vkey, key),
        "same witness key under another name": good.replace(
            "group", f"witness lic2 {Cosigner('other', WITNESSES['lic'].cosigner.key).vkey}\ngroup"
        ),
        "same log key twice": good + f"log {SIGNER.verifier.vkey}\n",
        "id of another key": good.replace(key, key.replace("+", "+0", 1)),
        "unknown word": good + "mirror x\n",
        "too many words": good.replace("https://log.example", "https://log.example and more"),
        "carriage return": good.replace("\n", "\r\n"),
        "other white space": good.replace("quorum any2", "quorum\u00a0any2"),
    }


@pytest.mark.parametrize("fault", broken_policies())
def test_a_policy_that_is_not_of_the_form_is_refused(fault: str) -> None:
    with pytest.raises(PolicyUnreadable):
        policy.parse(broken_policies()[fault])


def test_a_policy_of_other_bytes_than_utf8_is_refused_with_its_line() -> None:
    with pytest.raises(PolicyUnreadable) as refused:
        policy.parse(b"# ok\nquorum none\n# \xff\n")
    assert refused.value.data["line"] == 3


def test_a_request_reads_as_it_was_written() -> None:
    made = asked(20, 33)
    assert witness.parse(made.body) == made
    assert made.body.startswith(b"old 20\n")
    assert witness.parse(asked(0, 5).body).proof == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda _body: b"",
        lambda body: body.replace(b"old 20", b"old 020"),
        lambda body: body.replace(b"old 20", b"new 20"),
        lambda body: body.replace(b"old 20", b"old -1"),
        lambda body: body.replace(b"old 20\n", b"old 20\nAAAA\n"),
        lambda body: body.replace(b"old 20\n", b"old 20\n" + b"A" * 43 + b"=\n" * 64),
        lambda body: body.replace(b"old 20", b"old \xff"),
        lambda body: body.partition(b"\n\n")[0],
    ],
    ids=["nothing", "zero in front", "other word", "negative", "short hash", "64 hashes",
         "no text", "no checkpoint"],
)  # fmt: skip
def test_a_request_of_another_form_is_refused(change: Callable[[bytes], bytes]) -> None:
    body = change(asked(20, 33).body)
    with pytest.raises(BadWitnessRequest):
        witness.opened(witness.parse(body), [SIGNER.verifier])


def test_a_witness_cosigns_a_log_that_grows(tmp_path: Path) -> None:
    made = a_witness(tmp_path)
    for old, size in ((0, 3), (3, 20), (20, 20), (20, 70)):
        line = made.cosign(asked(old, size), time_s=AT)
        said = signed(size) + line
        assert cosignature.found(said, made.signer.cosigner) == AT
        assert a_witness(tmp_path).remembered()[ORIGIN].seen.size == size


def test_a_witness_refuses_what_the_standard_says(tmp_path: Path) -> None:
    made = a_witness(tmp_path)
    made.cosign(asked(0, 20), time_s=AT)
    memory = (tmp_path / STATE_FILE).read_bytes()
    other = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
    elsewhere = Signer("elsewhere.example", SIGNER.private)
    cases = [
        (Asked(20, (), signed(33, signer=elsewhere)), LogNotWitnessed),
        (Asked(20, asked(20, 33).proof, signed(33, signer=other)), CheckpointNotSigned),
        (asked(34, 33), BadWitnessRequest),
        (asked(0, 33), OtherOldSize),
        (asked(19, 33), OtherOldSize),
        (asked(21, 33), OtherOldSize),
        (Asked(20, (), signed(33)), NotConsistent),
        (Asked(20, asked(20, 33).proof[:-1], signed(33)), NotConsistent),
        (Asked(20, asked(20, 33).proof, signed(20)), NotConsistent),
        (asked(20, 33, FORKED[:5] + LEAVES), NotConsistent),
    ]
    for asking, refusal in cases:
        with pytest.raises(refusal):
            made.cosign(asking, time_s=AT)
    assert (tmp_path / STATE_FILE).read_bytes() == memory
    assert made.proofs() == []


def test_threat_02_two_trees_of_one_size_are_refused_and_kept_as_proof(tmp_path: Path) -> None:
    made = a_witness(tmp_path)
    made.cosign(asked(0, 33), time_s=AT)
    forked = asked(33, 33, FORKED)
    for _again in range(2):
        with pytest.raises(TwoRoots):
            made.cosign(forked, time_s=AT)
    [kept] = made.proofs()
    both = kept.read_text()
    first, second = both[: len(signed(33))], both[len(signed(33)) + 1 :]
    roots = {
        checkpoint.open_checkpoint(one, origin=ORIGIN, trusted=[SIGNER.verifier]).root
        for one in (first, second)
    }
    assert len(roots) == 2


def test_threat_02_two_histories_never_both_have_a_quorum_of_two_in_three(tmp_path: Path) -> None:
    folders = [
        WitnessFolder.init(tmp_path / name, name=f"{name}.example", logs=[SIGNER.verifier])
        for name in NAMES
    ]
    for folder in folders:
        folder.cosign(asked(0, 10), time_s=AT)  # the histories part after 20
    met = 0
    for leaves in (LEAVES, FORKED):
        count = 0
        for folder in folders[:2] if leaves is LEAVES else folders[1:]:
            try:
                folder.cosign(asked(10, 33, leaves), time_s=AT)
                count += 1
            except (OtherOldSize, TwoRoots, NotConsistent):
                pass
        met += count >= 2
    assert met == 1


def test_invariant_31_whatever_is_asked_at_once_a_witness_never_goes_back(tmp_path: Path) -> None:
    a_witness(tmp_path)
    sizes = list(range(1, 41))

    def ask(size: int) -> tuple[int, str | None]:
        mine = WitnessFolder.open(tmp_path)
        for _attempt in range(200):
            last = mine.remembered().get(ORIGIN)
            old = last.seen.size if last else 0
            if old > size:
                return size, None
            try:
                return size, mine.cosign(asked(old, size), time_s=AT)
            except OtherOldSize:
                continue
        raise AssertionError("never came to its turn")

    with ThreadPoolExecutor(8) as pool:
        answers = dict(pool.map(ask, sizes[::-1] + sizes))
    assert WitnessFolder.open(tmp_path).remembered()[ORIGIN].seen.size == max(sizes)
    assert answers[max(sizes)] is not None


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()), max_size=30))
def test_invariant_31_no_sequence_of_requests_leads_to_a_smaller_or_inconsistent_tree(
    requests: list[tuple[int, int, bool]],
) -> None:
    seen = witness.NOTHING_SEEN
    for old, size, forked in requests:
        leaves = FORKED if forked else LEAVES
        asking = asked(old, size, leaves)
        try:
            said = witness.opened(asking, [SIGNER.verifier])
            after = witness.judge(asking, said, seen)
        except (BadWitnessRequest, OtherOldSize, TwoRoots, NotConsistent):
            continue
        assert after.size >= seen.size
        known = tree(leaves)
        assert merkle.root(seen.size, known.__getitem__) == seen.root
        seen = after


def test_a_witness_without_memory_or_key_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(WitnessNotReady):
        WitnessFolder.open(tmp_path / "nowhere")
    a_witness(tmp_path)
    (tmp_path / STATE_FILE).unlink()
    with pytest.raises(WitnessNotReady):
        WitnessFolder.open(tmp_path)
    with pytest.raises(WitnessNotReady):
        a_witness(tmp_path)


def test_a_witness_keeps_its_key_and_name_and_learns_further_logs(tmp_path: Path) -> None:
    made = a_witness(tmp_path)
    other = Signer("second.example", Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)).verifier
    again = WitnessFolder.init(tmp_path, name=None, logs=[other, SIGNER.verifier])
    assert again.signer.cosigner == made.signer.cosigner
    assert again.logs() == [SIGNER.verifier, other]
    assert (tmp_path / "witness.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(WitnessNotReady):
        WitnessFolder.init(tmp_path, name="another", logs=[])
    with pytest.raises(WitnessNotReady):
        WitnessFolder.init(tmp_path / "new", name="two words", logs=[])


def test_the_memory_of_another_witness_is_refused(tmp_path: Path) -> None:
    a_witness(tmp_path / "a")
    WitnessFolder.init(tmp_path / "b", name="w.example/w1", logs=[])
    (tmp_path / "a" / STATE_FILE).replace(tmp_path / "b" / STATE_FILE)
    with pytest.raises(WitnessNotReady):
        WitnessFolder.open(tmp_path / "b")
