"""What others have signed and published is read and verified here: C2SP's examples, public logs.

Threat 22 is here too: a signature that quantum computers do not break (ML-DSA-44) beside Ed25519.
"""

import base64
import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from contracts.log import checkpoint, cosignature, merkle, note, policy, proof, tiles, witness
from contracts.log.checkpoint import Checkpoint
from contracts.log.cosignature import ML_DSA_44, CosignatureSigner, Cosigner
from contracts.log.note import BadNote, BadVerifierKey, Signer, UntrustedNote, Verifier
from contracts.log.policy import QuorumNotMet
from contracts.log.tiles import Tile
from contracts.log.witness import NOTHING_SEEN, Asked
from contracts.log.witness_folder import SECOND_FILE, WitnessFolder, WitnessNotReady

PUBLISHED = Path(__file__).parent.parent / "vectors" / "tlog" / "published"
SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
CI_3 = "transparency.dev-aw-ftlog-ci-3+3f689522+Aa1Eifq6rRC8qiK+bya07yV1fXyP156pEMsX7CFBC6gg"
EXAMPLE = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ON"
    "ncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFS"
    "QU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv"
    "2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
SOFA_WITNESS = (
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b"
    "2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
PROOF = """c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

"""
ASKED = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

"""
SOFA_TWICE = SOFA + (
    "— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6"
    "267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n"
)
ANSWER = (
    "— witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrd"
    "k3DXDqI5G2HgLatVs0pWh6Up69HVOw==\n"
    "— witness.example/w1 I7rEps0pvK2UqkS2gSpVUDhrhVtQV9lgF6pRrWAvjJHjyWpW7VcE3SiOlVlbQNt64vWhO+Dlk"
    "L0+UfzuOBMh9ChdMkP1vi/lCAsmlw==\n"
    "— witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3H"
    "NJhm/kWl7oJlqU3rXXvpysAdyP3wQ==\n"
)
AT = 1_795_338_000
LOG = Signer("log.uhdx.example/2026", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
SECOND = CosignatureSigner("w.example/w1", MLDSA44PrivateKey.from_seed_bytes(b"\x02" * 32))


def published(name: str) -> str:
    return (PUBLISHED / name).read_text(encoding="utf-8")


def test_the_example_of_signed_note_opens_with_its_key() -> None:
    key = Verifier.parse(EXAMPLE)
    assert (key.name, key.key_id.hex(), key.vkey) == ("example.com/foo", "530d903a", EXAMPLE)
    assert note.open_note(EXAMPLE_NOTE, trusted=[key]) == "This is an example message.\n"
    with pytest.raises(UntrustedNote):
        note.open_note(EXAMPLE_NOTE.replace("example message", "other message"), trusted=[key])


def test_the_last_empty_line_parts_text_and_signatures() -> None:
    text, [line] = note.parse(POEM)
    assert text.endswith("di sole:\n\ned è subito sera.\n")
    assert line.name == "quasimodo.example/salvatore"
    assert (line.key_id.hex(), len(line.signature)) == ("367ba04b", 64)
    assert f"{text}\n{line.text}" == POEM


def test_the_example_of_a_checkpoint_reads_and_writes_the_same() -> None:
    text, lines = note.parse(SOFA + SOFA_WITNESS)
    read = checkpoint.parse(text)
    assert (read.origin, read.size, read.text) == ("example.com/behind-the-sofa", 20852163, text)
    assert [line.name for line in lines] == [read.origin, "witness.example.com/w1"]
    assert int.from_bytes(lines[1].signature[:8], "big") == 1679315147
    assert cosignature.message(text, 1679315147).startswith(b"cosignature/v1\ntime 1679315147\n")


def test_the_example_of_a_proof_reads_and_writes_the_same() -> None:
    read = proof.parse(PROOF + "the signatures are left out of the example")
    assert (read.index, len(read.hashes), len(read.extra or b"")) == (73894, 5, 39)
    assert read.text.startswith(PROOF)
    assert checkpoint.parse(read.checkpoint.partition("\n\n")[0] + "\n").size == 109482


def test_the_example_of_asking_a_witness_reads_and_writes_the_same() -> None:
    body = (ASKED + SOFA_TWICE).encode()
    read = witness.parse(body)
    assert (read.old_size, len(read.proof), read.signed, read.body) == (
        20852014, 4, SOFA_TWICE, body,
    )  # fmt: skip
    _, lines = note.parse(cosignature.appended(read.signed, [ANSWER]))
    assert [line.name for line in lines[2:]] == [f"witness.example/w{n}" for n in (1, 1, 2)]
    assert {len(line.signature) for line in lines[2:]} == {72}


def test_the_example_of_tiles_has_the_files_it_says() -> None:
    row: dict[int | None, list[Tile]] = {}
    for tile in tiles.grown(0, 70_000):
        row.setdefault(tile.level, []).append(tile)
    assert [(len(row[level]), row[level][-1].width) for level in (0, 1, 2)] == [
        (274, 112), (2, 17), (1, 1),
    ]  # fmt: skip
    assert [tile.path for tile in tiles.grown(0, 256)] == [
        "tile/entries/000", "tile/0/000", "tile/1/000.p/1",
    ]  # fmt: skip
    assert tiles.parse("tile/3/x001/x234/067").index == 1_234_067


def test_the_example_of_a_policy_is_judged_as_it_says() -> None:
    keys = [
        CosignatureSigner(f"{name}.example", Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32))
        for n, name in enumerate(("X1", "X2", "X3", "Y1", "Y2", "Y3"))
    ]
    x1, x2, x3, y1, y2, y3 = (one.cosigner.vkey for one in keys)
    read = policy.parse(
        f"log {LOG.verifier.vkey}\n\nwitness X1 {x1}\nwitness X2 {x2}\nwitness X3 {x3}\n"
        f"group X-witnesses 2 X1 X2 X3\n\nwitness Y1 {y1}\nwitness Y2 {y2}\nwitness Y3 {y3}\n"
        "group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\n"
        "quorum X-and-Y\n"
    )
    assert read.missing({"X1", "X3", "Y2"}) == 0
    assert read.missing({"X1", "X2", "X3"}) == 1
    assert read.missing({"Y1", "Y2", "Y3", "X1"}) == 1


@pytest.mark.parametrize(
    ("name", "vkey", "origin", "size"),
    [
        ("sumdb", SUMDB, "go.sum database tree", 63_096_908),
        ("ci-3", CI_3, "transparency.dev/armored-witness/firmware_transparency/ci/3", 59),
    ],
)
def test_a_public_log_whose_key_has_another_name_than_its_origin_is_read(
    name: str, vkey: str, origin: str, size: int
) -> None:
    signed = published(f"{name}.checkpoint")
    key = Verifier.parse(vkey)
    assert checkpoint.open_checkpoint(signed, origin=origin, trusted=[key]).size == size
    with pytest.raises(UntrustedNote):
        checkpoint.open_checkpoint(signed, origin=key.name, trusted=[key])
    with pytest.raises(UntrustedNote):
        changed = signed.replace(f"\n{size}\n", f"\n{size + 1}\n")
        checkpoint.open_checkpoint(changed, origin=origin, trusted=[key])


def test_four_witnesses_of_a_public_log_meet_a_policy_of_four_in_five() -> None:
    signed, text = published("cosigned.checkpoint"), published("cosigned.policy")
    judged = policy.open_cosigned(signed, policy.parse(text))
    assert judged.checkpoint.size == 1_432_088_532
    assert set(judged.cosigned) == {"garden", "smartit", "remora", "stagemole"}
    assert set(judged.cosigned.values()) == {1_779_573_024}
    with pytest.raises(QuorumNotMet):
        policy.open_cosigned(signed, policy.parse(text.replace("four 4", "four 5")))
    with pytest.raises(UntrustedNote):
        policy.open_cosigned(signed.replace("2net5wAAAABqEiEg", "2net5wAAAABqEiEh"),
                             policy.parse(text))  # fmt: skip


def test_threat_22_an_ml_dsa_cosignature_of_a_public_witness_verifies() -> None:
    signed, key = (
        published("ml-dsa-44.checkpoint"),
        Cosigner.parse(published("ml-dsa-44.vkey").strip()),
    )
    assert (key.type, key.key_id.hex()) == (ML_DSA_44, "6bc44249")
    assert key.vkey == published("ml-dsa-44.vkey").strip()
    assert cosignature.found(signed, key) == 1_785_704_691
    for change in (("\n185550722\n", "\n185550723\n"), ("coachandhorses2026h1", "elsewhere")):
        with pytest.raises(UntrustedNote):
            cosignature.found(signed.replace(*change), key)


def test_threat_22_the_name_of_the_witness_is_signed_with_ml_dsa() -> None:
    text = Checkpoint(LOG.name, 7, merkle.EMPTY_ROOT).text
    said = cosignature.subtree_message("w.example/w1", text, AT)
    assert said == (
        b"subtree/v1\n\0" + b"\x0cw.example/w1" + struct.pack(">Q", AT)
        + b"\x15log.uhdx.example/2026" + struct.pack(">QQ", 0, 7) + merkle.EMPTY_ROOT
    )  # fmt: skip
    line = SECOND.cosign(text, time_s=AT)
    assert cosignature.found(LOG.sign(text) + line, SECOND.cosigner) == AT
    other = replace(SECOND.cosigner, name="w.example/w2")
    stolen = note.parse(LOG.sign(text) + line)[1][1]
    raw = base64.b64encode(other.key_id + stolen.signature).decode()
    with pytest.raises(UntrustedNote):
        cosignature.found(LOG.sign(text) + f"— {other.name} {raw}\n", other)


@pytest.mark.parametrize("place", [4, 11, 12, 700, 2431])
def test_threat_22_any_changed_byte_of_an_ml_dsa_line_is_noticed(place: int) -> None:
    text = Checkpoint(LOG.name, 7, merkle.EMPTY_ROOT).text
    raw = bytearray(base64.b64decode(SECOND.cosign(text, time_s=AT).split(" ")[2]))
    raw[place] ^= 1
    line = f"— {SECOND.name} {base64.b64encode(bytes(raw)).decode()}\n"
    with pytest.raises(UntrustedNote):
        cosignature.found(LOG.sign(text) + line, SECOND.cosigner)


def test_an_ml_dsa_key_is_a_witness_of_its_own_in_a_policy() -> None:
    first = CosignatureSigner("w.example/w1", Ed25519PrivateKey.from_private_bytes(b"\x03" * 32))
    text = Checkpoint(LOG.name, 7, merkle.EMPTY_ROOT).text
    lines = {"now": first.cosign(text, time_s=AT), "later": SECOND.cosign(text, time_s=AT)}
    wanted = policy.parse(
        f"log {LOG.verifier.vkey}\nwitness now {first.cosigner.vkey}\n"
        f"witness later {SECOND.cosigner.vkey}\ngroup both all now later\nquorum both\n"
    )
    signed = LOG.sign(text)
    assert policy.judge(signed + lines["now"], wanted).missing == 1
    assert set(policy.open_cosigned(signed + "".join(lines.values()), wanted).cosigned) == set(
        lines
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: b"\x01" + raw[1:],
        lambda raw: b"\x04" + raw[1:],
        lambda raw: raw[:-1],
        lambda raw: raw[:33],
    ],
)
def test_a_key_of_another_type_or_length_is_no_witness(spoil: Callable[[bytes], bytes]) -> None:
    key = SECOND.cosigner
    raw = spoil(key.type + key.key)
    vkey = note.vkey(key.name, raw[:1], raw[1:])
    with pytest.raises(BadVerifierKey):
        Cosigner.parse(vkey)


def test_ml_dsa_signs_checkpoints_alone() -> None:
    with pytest.raises(BadNote):
        SECOND.cosign("any other text\n", time_s=AT)
    with pytest.raises(BadNote):
        cosignature.subtree_message("w" * 256, Checkpoint("x", 0, merkle.EMPTY_ROOT).text, AT)


def test_a_witness_with_a_second_key_signs_two_lines_by_one_memory(tmp_path: Path) -> None:
    WitnessFolder.init(tmp_path, name="w.example/w1", logs=[LOG.verifier])
    made = WitnessFolder.add_second_key(tmp_path)
    assert WitnessFolder.add_second_key(tmp_path).vkeys == made.vkeys
    assert ((tmp_path / SECOND_FILE).stat().st_mode & 0o777) == 0o600
    signed = LOG.sign(Checkpoint(LOG.name, 1, hashlib.sha256(b"\0").digest()).text)
    asked = Asked(NOTHING_SEEN.size, (), signed)
    both = signed + made.cosign(asked, time_s=AT)
    assert [cosignature.found(both, Cosigner.parse(vkey)) for vkey in made.vkeys] == [AT, AT]
    # Whoever loses the memory and the first key does not go on with the second one alone.
    for name in ("witness.key", "witness.state"):
        (tmp_path / name).unlink()
    with pytest.raises(WitnessNotReady):
        WitnessFolder.init(tmp_path, name="w.example/w1", logs=[])


def test_lines_that_say_more_are_kept_and_signed_with_the_rest() -> None:
    made = Checkpoint(LOG.name, 7, merkle.EMPTY_ROOT, ("Timestamp: 1", "more"))
    signed = LOG.sign(made.text)
    opened = checkpoint.open_checkpoint(signed, origin=LOG.name, trusted=[LOG.verifier])
    assert opened == made
    with pytest.raises(UntrustedNote):
        changed = signed.replace("more", "less")
        checkpoint.open_checkpoint(changed, origin=LOG.name, trusted=[LOG.verifier])
