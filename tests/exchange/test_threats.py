"""Rows of the threat model, acted out: what an adversary does, and what notices it.

Rows 2 (a split log) and 14 (clocks) are in `test_threats_log`, row 22 (quantum computers) is the
witnesses' test, rows 9 and 10 (glyphs, injection) those of documents, 17 to 20 the deliveries'.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical, ids
from contracts.deals import queries, rules, service
from contracts.deals.tables import Deal, SigningSession
from contracts.evidence import archive, manifest
from contracts.evidence.checking import Report
from contracts.facts import rules as facts
from contracts.facts.tables import Fact
from contracts.log.gateway import LogKeyMissing, LogSigner
from contracts.log.merkle import EMPTY_ROOT
from contracts.log.rules import LogWouldFork, Mark, SealerOvertaken
from contracts.parties import service as registry
from contracts.parties.gateway import AuthorityMissing, LocalAuthority
from contracts.parties.rules import KeyNotActive
from contracts.refusal import Unknown
from exchange import keys
from exchange.authority import open_authority
from exchange.db import Database
from exchange.demo import signer as party_signer
from exchange.evidence import bundle, public
from exchange.evidence.public import Verdict
from exchange.evidence.verify import verify
from exchange.settings import Settings
from tests.conftest import NOW
from tests.contracts.deals_factory import (
    PRESS,
    Signatory,
    certified_deal,
    signatory,
    with_key,
)
from tests.contracts.poppler import poppler
from tests.exchange.evidence_factory import AMOUNT, Trade, settled_trade
from tests.exchange.test_settings import REAL

Files = dict[str, bytes]


@dataclass(frozen=True)
class Held:
    """A settled trade, its evidence, and the log's key."""

    trade: Trade
    files: Files
    signer: LogSigner


@pytest.fixture(scope="module")
async def held(db: Database, settings: Settings) -> Held:
    trade, signer = await settled_trade(db, settings), keys.log_signer(settings)
    async with db.transaction() as session:
        _, made = await bundle.assemble(
            session,
            trade.deal.id,
            party=trade.licensee.id,
            signer=signer,
            authority=LocalAuthority.open(settings.keys),
        )
    return Held(trade, dict(archive.unpack(made).files), signer)


@pytest.fixture
def judged(held: Held, tmp_path: Path) -> Callable[[Files], Report]:
    """What the verifier says of files that a dishonest exchange signed as evidence."""

    def judge(files: Files) -> Report:
        said = manifest.parse(files[manifest.FILE].decode().rpartition("\n\n")[0] + "\n")
        kept = {name: content for name, content in files.items() if name != manifest.FILE}
        path = tmp_path / "bundle.zip"
        path.write_bytes(
            bundle.sign_and_pack(kept, deal=said.deal, stage=said.stage, signer=held.signer)
        )
        return verify(path, trusted_vkey=held.signer.verifier.vkey)

    return judge


def failures(report: Report) -> list[str]:
    return [check.name for check in report.checks if not check.ok]


def as_executed(files: Files, pdf: bytes) -> Files:
    """The files with another contract, and every record of its hash changed to fit."""
    old, new = (sha256(one).hexdigest().encode() for one in (files["contract.pdf"], pdf))
    events = files["events.jsonl"].replace(old, new)
    return {**files, "contract.pdf": pdf, "events.jsonl": events}


def test_threat_01_a_fact_that_the_exchange_dates_back_is_not_in_its_leaf(
    held: Held, judged: Callable[[Files], Report]
) -> None:
    stamp = b'"kind":"deal.executed",'
    line = next(one for one in held.files["events.jsonl"].splitlines() if stamp in one)
    event = canonical.loads(line)
    event["recorded_at"] = "2026-01-01T00:00:00Z"
    events = held.files["events.jsonl"].replace(line, canonical.dumps(event))
    assert "leaves" in failures(judged({**held.files, "events.jsonl": events}))


def test_threat_05_the_terms_that_were_signed_are_printed_and_embedded(
    held: Held, tmp_path: Path
) -> None:
    file = tmp_path / "contract.pdf"
    file.write_bytes(held.files["contract.pdf"])
    digest = sha256(held.files["terms.json"]).hexdigest()
    pages = poppler("pdftotext", "-layout", file, "-").split("\f")[:-1]
    assert pages
    assert [page for page in pages if digest not in "".join(page.split())] == []


def test_threat_07_an_update_after_the_last_signature_is_refused(
    held: Held, judged: Callable[[Files], Report]
) -> None:
    longer = held.files["contract.pdf"] + b"\n% a white box over the fee\n%%EOF\n"
    assert "contract signatures" in failures(judged(as_executed(held.files, longer)))


async def test_threat_08_a_contract_cut_back_to_before_the_countersignature_is_not_the_executed_one(
    held: Held, judged: Callable[[Files], Report], db: Database
) -> None:
    *_, last = sorted(name for name in held.files if name.endswith(".cms"))
    place = held.files["contract.pdf"].index(held.files[last].hex().upper().encode())
    earlier = held.files["contract.pdf"][: held.files["contract.pdf"].rindex(b"%%EOF", 0, place)]
    earlier += b"%%EOF\n"
    assert "contract signatures" in failures(judged(as_executed(held.files, earlier)))
    async with db.transaction() as session:
        base = await queries.base_document(session, held.trade.deal.id)
        number = held.trade.deal.contract_no
        assert (await public.look_up(session, number, base.sha256))[0] is Verdict.EARLIER


@pytest.mark.parametrize(
    "raw",
    [
        b'{"amount": "1.00", "amount": "9.00"}', b'{"amount": 1.5}', b'{"amount": NaN}',
        '{"name": "e\u0301"}'.encode(), b'{"amount": 9007199254740993}',
    ],
)  # fmt: skip
def test_threat_11_terms_that_two_readers_could_read_in_two_ways_are_refused(raw: bytes) -> None:
    with pytest.raises(canonical.NotCanonical):
        canonical.dumps(canonical.loads(raw))


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE fact SET record = '\\x7b7d'", "UPDATE log_entry SET leaf = '\\x7b7d'",
        "UPDATE log_checkpoint SET note = 'x'", "DELETE FROM log_checkpoint",
        "UPDATE deal_document SET sha256 = repeat('a', 64)", "ALTER TABLE fact DISABLE TRIGGER ALL",
        "UPDATE deal SET pdf_sha256 = repeat('a', 64) WHERE signing = 'executed'",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("held")
async def test_threat_12_the_database_refuses_to_edit_what_was_recorded(
    db: Database, edit: str
) -> None:
    with pytest.raises(DBAPIError):
        async with db.transaction() as session:
            await session.execute(text(edit))


class RollBack(Exception):
    """Ends a transaction that was only for looking."""


def test_threat_13_a_restored_backup_is_not_signed_over(tmp_path: Path) -> None:
    signer = LogSigner.ensure(tmp_path, "log.uhdx.local/2026")
    before, first = signer.mark(), Mark(5, b"1" * 32, 0, (ids.new(NOW),))
    signer.sign(first, after=before)
    for other in (Mark(5, b"2" * 32, 0, first.facts), Mark(3, b"3" * 32, 0, first.facts)):
        with pytest.raises((LogWouldFork, SealerOvertaken)):
            signer.sign(other, after=before)
        with pytest.raises(LogWouldFork):
            signer.sign(other, after=first)
    assert signer.mark() == first
    assert first.root != EMPTY_ROOT


async def test_threat_15_a_reader_of_the_log_who_guesses_a_record_cannot_confirm_it(
    client: httpx.AsyncClient, held: Held
) -> None:
    line = next(
        one for one in held.files["events.jsonl"].splitlines() if b'"kind":"deal.executed"' in one
    )
    event = canonical.loads(line)
    record, leaf = canonical.dumps(event["record"]), canonical.loads(event["leaf"].encode())
    assert facts.commitment(bytes.fromhex(event["blind"]), record) == leaf["c"]
    for guess in (b"", bytes(32), event["fact"].encode(), sha256(record).digest()):
        assert facts.commitment(guess, record) != leaf["c"]
    public_log = (await client.get("/v1/log/leaves", params={"limit": 1000})).text
    trade = held.trade
    for told in (trade.licensor.name_zh, trade.licensee.name_en, str(AMOUNT), str(trade.deal.id)):
        assert told not in public_log


def test_threat_16_what_is_erased_leaves_the_rest_provable(
    held: Held, judged: Callable[[Files], Report]
) -> None:
    lines = []
    for line in held.files["events.jsonl"].splitlines():
        event = canonical.loads(line)
        if event["kind"] == "bid.placed":
            event |= {"record": {}, "blind": ""}
        lines.append(canonical.dumps(event) + b"\n")
    report = judged({**held.files, "events.jsonl": b"".join(lines)})
    assert report.ok, report.as_dict()


def test_threat_23_a_missing_keystore_stops_the_exchange_and_makes_no_key(tmp_path: Path) -> None:
    empty = Settings.model_validate({**REAL, "home": tmp_path, "keys_dir": tmp_path / "keys"})
    with pytest.raises(AuthorityMissing):
        open_authority(empty, now=NOW)
    with pytest.raises(LogKeyMissing):
        LogSigner.open(empty.keys, "log.uhdx.local/2026")
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == []


@dataclass(frozen=True)
class Signing:
    """A contract that its licensor has begun to sign."""

    session: AsyncSession
    authority: LocalAuthority
    licensor: Signatory
    licensee: Signatory
    deal: Deal
    begun: SigningSession


@asynccontextmanager
async def signing(db: Database, settings: Settings) -> AsyncIterator[Signing]:
    """A signing session in a transaction that is rolled back."""
    with pytest.raises(RollBack):
        async with db.transaction() as session:
            authority = LocalAuthority.ensure(settings.keys, NOW)
            licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
            licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
            deal = await certified_deal(
                session, authority, licensor=licensor.party, licensee=licensee.party, now=NOW
            )
            begun, _ = await service.open_session(
                session, deal.id, ids.new(NOW),
                party_id=licensor.party.id, key_id=licensor.key.id, press=PRESS, now=NOW,
            )  # fmt: skip
            yield Signing(session, authority, licensor, licensee, deal, begun)
            raise RollBack


async def test_threats_03_and_04_neither_the_exchange_nor_a_second_certificate_signs_for_a_party(
    db: Database, settings: Settings
) -> None:
    async with signing(db, settings) as at:
        # A key and a certificate in the party's name, made by the exchange alone.
        twin = await with_key(at.session, at.authority, at.licensor.party, now=NOW)
        own = at.authority.certifier.key.sign(at.begun.tbs, ec.ECDSA(hashes.SHA256()))
        for forged in (own, party_signer.sign_tbs(twin.key_pem, at.begun.tbs)):
            with pytest.raises((rules.WrongKey, rules.BadSignature)):
                await service.complete_session(
                    at.session, at.deal.id, at.begun.id, party_id=at.licensor.party.id,
                    certifier=at.authority.certifier, now=NOW, signature=forged,
                )  # fmt: skip
        assert (await queries.get_deal(at.session, at.deal.id)).signing == "certified"
        # The second key is a fact of its own, told to the party and a leaf of the log.
        assert await facts_of(at.session, twin.key.id) == ["key.registered"]


async def facts_of(session: AsyncSession, subject: UUID) -> list[str]:
    found = await session.scalars(select(Fact).where(col(Fact.subject) == subject))
    return [fact.kind for fact in found]


async def test_threat_06_a_stolen_key_that_was_revoked_signs_nothing_more(
    db: Database, settings: Settings
) -> None:
    async with signing(db, settings) as at:
        await registry.revoke_key(at.session, at.licensor.party.id, at.licensor.key.id, now=NOW)
        with pytest.raises(KeyNotActive):
            await service.complete_session(
                at.session, at.deal.id, at.begun.id, party_id=at.licensor.party.id,
                certifier=at.authority.certifier, now=NOW,
                signature=party_signer.sign_tbs(at.licensor.key_pem, at.begun.tbs),
            )  # fmt: skip
        assert await facts_of(at.session, at.licensor.key.id) == ["key.registered", "key.revoked"]


async def test_threat_24_a_copied_signing_session_signs_for_nobody_else(
    db: Database, settings: Settings
) -> None:
    async with signing(db, settings) as at:
        before = (await queries.document(at.session, at.deal.id)).sha256

        async def complete(who: Signatory, hand: Signatory) -> Deal:
            return await service.complete_session(
                at.session, at.deal.id, at.begun.id,
                party_id=who.party.id, certifier=at.authority.certifier, now=NOW,
                signature=party_signer.sign_tbs(hand.key_pem, at.begun.tbs),
            )  # fmt: skip

        with pytest.raises(Unknown):  # the other party, with its own key
            await complete(at.licensee, at.licensee)
        with pytest.raises(Unknown):  # the other party, with a signature that would fit
            await complete(at.licensee, at.licensor)
        with pytest.raises(rules.WrongKey):  # the right account, another's key
            await complete(at.licensor, at.licensee)
        assert (await queries.document(at.session, at.deal.id)).sha256 == before
        assert (await complete(at.licensor, at.licensor)).signing == "licensor_signed"
