import random
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from contracts import ids
from contracts.evidence import archive, manifest, opened
from contracts.evidence.checking import Report
from contracts.log.gateway import LogSigner
from contracts.parties.gateway import LocalAuthority
from contracts.refusal import Unknown
from exchange import keys
from exchange.db import Database
from exchange.evidence import bundle
from exchange.evidence.bundle import EvidenceNotReady
from exchange.evidence.verify import verify
from exchange.settings import Settings
from tests.conftest import NOW
from tests.contracts.log_factory import a_fact, seal_all
from tests.exchange.evidence_factory import AMOUNT, Trade, executed_trade, settled_trade
from tests.exchange.evidence_forgeries import FORGERIES, Files
from tests.exchange.identity_factory import api_key, person

FLIPS = 240


@pytest.fixture(scope="module")
def signer(settings: Settings) -> LogSigner:
    return keys.log_signer(settings)


@pytest.fixture(scope="module")
async def trade(db: Database, settings: Settings) -> Trade:
    return await settled_trade(db, settings)


async def assembled(db: Database, settings: Settings, trade: Trade) -> bytes:
    async with db.transaction() as session:
        _, made = await bundle.assemble(
            session,
            trade.deal.id,
            party=trade.licensee.id,
            signer=keys.log_signer(settings),
            authority=LocalAuthority.open(settings.keys),
        )
    return made


@pytest.fixture(scope="module")
async def whole(db: Database, settings: Settings, trade: Trade) -> bytes:
    """The evidence of a settled trade."""
    return await assembled(db, settings, trade)


@pytest.fixture
def check(tmp_path: Path, signer: LogSigner) -> Callable[[bytes], Report]:
    def run(raw: bytes) -> Report:
        path = tmp_path / "bundle.zip"
        path.write_bytes(raw)
        return verify(path, trusted_vkey=signer.verifier.vkey)

    return run


def place_of(whole: bytes, name: str) -> int:
    """Where the content of a file begins: right after its name in its local header."""
    return whole.index(name.encode() + archive.unpack(whole).files[name]) + len(name)


def failures(report: Report) -> list[str]:
    return [check.name for check in report.checks if not check.ok]


def test_the_evidence_of_a_whole_trade_holds(
    whole: bytes, check: Callable[[bytes], Report], trade: Trade
) -> None:
    report = check(whole)
    assert report.ok, report.as_dict()
    details = {one.name: one.detail for one in report.checks}
    assert details["stage"] == "the deal is settled"
    assert f"{AMOUNT} = " in details["settlement"]
    assert "in 2 transfers" in details["settlement"]
    assert trade.deal.contract_no in details["terms"]
    assert "log key" in details


def test_without_a_trusted_key_the_report_says_so(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(whole)
    report = verify(path)
    assert report.ok
    [key] = [one for one in report.checks if one.name == "log key"]
    assert "compare it" in key.detail


def test_one_flipped_byte_anywhere_fails_and_is_named(
    whole: bytes, check: Callable[[bytes], Report]
) -> None:
    draw = random.Random(20261122)
    files = archive.unpack(whole).files
    places = {place_of(whole, name) + draw.randrange(len(files[name])) for name in files}
    places |= set(range(30)) | set(range(len(whole) - 22, len(whole)))
    places |= {whole.index(archive.CENTRAL) + offset for offset in range(46)}
    places |= {draw.randrange(len(whole)) for _ in range(FLIPS)}
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << draw.randrange(8)
        report = check(bytes(flipped))
        named = [one.where for one in report.checks if not one.ok]
        assert named, f"byte {place} was not missed"
        assert all(named)


def test_a_flipped_byte_names_its_file(whole: bytes, check: Callable[[bytes], Report]) -> None:
    for name, content in archive.unpack(whole).files.items():
        flipped = bytearray(whole)
        flipped[place_of(whole, name) + len(content) // 2] ^= 1
        report = check(bytes(flipped))
        assert any(name in (one.where or "") for one in report.checks if not one.ok), name


def test_nothing_can_be_added_left_out_or_cut_off(
    whole: bytes, check: Callable[[bytes], Report]
) -> None:
    files = dict(archive.unpack(whole).files)
    for name in files:
        left_out = {other: content for other, content in files.items() if other != name}
        assert not check(archive.pack(left_out)).ok
    assert not check(archive.pack({**files, "extra.txt": b"x"})).ok
    for raw in (whole + b"\x00", whole[:-1], whole[: len(whole) // 2], b"", b"PK", b"x" * 99):
        assert not check(raw).ok


def test_another_logs_key_is_not_believed(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(whole)
    other = LogSigner.ensure(tmp_path / "keys", "log.uhdx.local/2026")
    report = verify(path, trusted_vkey=other.verifier.vkey)
    assert failures(report) == ["manifest"]
    assert failures(verify(path, trusted_vkey="nonsense")) == ["manifest"]


def test_a_file_larger_than_any_bundle_is_not_read(
    whole: bytes, check: Callable[[bytes], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contracts.evidence.checking.MOST_BYTES", len(whole) - 1)
    report = check(whole)
    assert [(one.name, one.where) for one in report.checks] == [("archive", "bundle.zip")]


def test_the_bundles_own_key_is_the_one_that_is_trusted(
    whole: bytes, check: Callable[[bytes], Report], trade: Trade, signer: LogSigner, tmp_path: Path
) -> None:
    files = dict(archive.unpack(whole).files)
    other = LogSigner.ensure(tmp_path / "keys", signer.origin)
    files["log.vkey"] = f"{other.verifier.vkey}\n".encode()
    report = check(forged(files, trade, signer))
    assert [(one.name, one.where) for one in report.checks if not one.ok] == [
        ("manifest", "log.vkey")
    ]


def forged(files: Files, trade: Trade, signer: LogSigner) -> bytes:
    """What a dishonest exchange could make: changed files under its own good signature."""
    kept = {name: content for name, content in files.items() if name != manifest.FILE}
    return bundle.sign_and_pack(kept, deal=trade.deal.id, stage="settled", signer=signer)


LATER = ("base.pdf", "signatures/", "crls/", "verify/", "log-policy.txt")


def test_a_bundle_from_before_the_later_files_still_holds(
    whole: bytes, check: Callable[[bytes], Report], trade: Trade, signer: LogSigner
) -> None:
    files = archive.unpack(whole).files
    old = {name: content for name, content in files.items() if not name.startswith(LATER)}
    assert len(old) < len(files)
    report = check(forged(old, trade, signer))
    assert report.ok, report.as_dict()
    [copies] = [one for one in report.checks if one.name == "contract copies"]
    assert copies.detail == "none in this bundle"


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_under_a_good_signature_is_found(
    forgery: str, whole: bytes, check: Callable[[bytes], Report], trade: Trade, signer: LogSigner
) -> None:
    files = dict(archive.unpack(whole).files)
    change, expected = FORGERIES[forgery]
    change(files)
    report = check(forged(files, trade, signer))
    assert expected in failures(report), report.as_dict()


@pytest.mark.parametrize("name", opened.REQUIRED)
def test_a_file_left_out_under_a_good_signature_is_missed(
    name: str, whole: bytes, check: Callable[[bytes], Report], trade: Trade, signer: LogSigner
) -> None:
    files = dict(archive.unpack(whole).files)
    del files[name]
    report = check(forged(files, trade, signer))
    assert [(one.name, one.where) for one in report.checks if not one.ok] == [("manifest", name)]


def test_a_contract_of_other_signatories_is_found(
    whole: bytes, check: Callable[[bytes], Report], trade: Trade, signer: LogSigner, tmp_path: Path
) -> None:
    files = dict(archive.unpack(whole).files)
    files["pki/root.pem"] = LocalAuthority.ensure(tmp_path / "other", NOW).root_pem
    assert failures(check(forged(files, trade, signer))) == ["contract signatures"]


def test_the_master_is_compared_when_it_is_given(whole: bytes, tmp_path: Path) -> None:
    path, master = tmp_path / "bundle.zip", tmp_path / "master.mp4"
    path.write_bytes(whole)
    master.write_bytes(b"file %d" % NOW.microsecond)  # what masters_factory hashes
    assert verify(path, master=master).ok
    master.write_bytes(b"another")
    report = verify(path, master=master)
    assert failures(report) == ["master file"]
    assert report.checks[-1].where == "master.mp4"


async def test_the_bundle_stays_the_same_while_the_log_grows(
    whole: bytes, db: Database, settings: Settings, trade: Trade
) -> None:
    for _ in range(3):
        await a_fact(db)
        await seal_all(db, keys.log_signer(settings))
    assert await assembled(db, settings, trade) == whole


def test_any_zip_program_can_open_it(whole: bytes) -> None:
    with zipfile.ZipFile(BytesIO(whole)) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        assert opened.read("README.zh-en.txt").decode().startswith("版权交易证据包")
    assert names == sorted(names)
    assert {"contract.pdf", "terms.json", "events.jsonl", "pki/root.pem"} <= set(names)


async def test_an_executed_deal_has_evidence_before_it_is_paid(
    db: Database, settings: Settings, signer: LogSigner, check: Callable[[bytes], Report]
) -> None:
    async with db.transaction() as session:
        trade = await executed_trade(session, settings.keys)
    with pytest.raises(EvidenceNotReady):
        await assembled(db, settings, trade)
    await seal_all(db, signer)
    report = check(await assembled(db, settings, trade))
    assert report.ok, report.as_dict()
    assert "the deal is executed" in [one.detail for one in report.checks]


async def test_only_the_parties_and_staff_get_the_evidence(
    client: httpx.AsyncClient, db: Database, trade: Trade, whole: bytes
) -> None:
    path = f"/v1/deals/{trade.deal.id}/evidence"
    answers = {}
    for who, party, role in (
        ("licensor", trade.licensor, "holder"),
        ("licensee", trade.licensee, "broadcaster"),
        ("co-owner", trade.co_owner, "holder"),
        ("staff", trade.co_owner, "auditor"),
    ):
        async with db.transaction() as session:
            someone = await person(session, party_id=party.id, role=role, now=NOW)
            key = await api_key(session, person=someone, now=NOW)
        answers[who] = await client.get(path, headers={"Authorization": f"Bearer {key}"})
    assert [answers[who].status_code for who in answers] == [200, 200, 404, 200]
    assert answers["licensor"].content == answers["staff"].content == whole
    assert answers["licensee"].headers["content-type"] == "application/zip"
    assert trade.deal.contract_no in answers["licensee"].headers["content-disposition"]
    assert (await client.get(path)).status_code == 401


async def test_a_stranger_learns_nothing(db: Database, settings: Settings, trade: Trade) -> None:
    async with db.transaction() as session:
        with pytest.raises(Unknown):
            await bundle.assemble(
                session,
                trade.deal.id,
                party=ids.new(NOW),
                signer=keys.log_signer(settings),
                authority=LocalAuthority.open(settings.keys),
            )
