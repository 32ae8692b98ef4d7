"""Invariants of signatures: order, bytes, keys, and what programs of others say to them."""

import os
import random
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import lasting, queries, service, verification
from contracts.deals.rules import BadSignature, CertificateExpired, NotYourTurn, SessionUsed
from contracts.deals.tables import Deal, SigningSession
from contracts.deals.verification import DocumentNotSound
from contracts.facts import queries as facts
from contracts.parties.gateway import AuthorityMissing, LocalAuthority
from contracts.parties.rules import EXCHANGE_PARTY_ID, KeyNotActive
from contracts.refusal import Refusal, Unknown
from exchange.authority import open_authority
from exchange.demo import signer
from exchange.settings import Settings
from tests.conftest import NOW
from tests.contracts.deals_factory import (
    PRESS,
    Signatory,
    certified_deal,
    executed_deal,
    opened_deal,
    sign,
    signatory,
)
from tests.contracts.poppler import poppler
from tests.contracts.test_deals_archiving import Paper, made

ROLES = ["exchange", "licensor", "licensee"]
FLIPS = 200 if "SOAK_ROUND" in os.environ else 3  # in each signature's range
SEED = int(os.environ.get("SOAK_ROUND", "1"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    return LocalAuthority.ensure(tmp_path_factory.mktemp("keys"), NOW)


@pytest.fixture(scope="module")
def paper(authority: LocalAuthority) -> Paper:
    return made(authority, stamps=True)


@dataclass
class Table:
    """A certified contract, its two sides, and every session that was ever opened."""

    session: AsyncSession
    authority: LocalAuthority
    deal: Deal
    sides: dict[str, Signatory]
    begun: dict[str, list[SigningSession]] = field(default_factory=dict)

    async def open(self, role: str) -> None:
        who = self.sides[role]
        begun, _ = await service.open_session(
            self.session, self.deal.id, ids.new(NOW),
            party_id=who.party.id, key_id=who.key.id, press=PRESS, now=NOW,
        )  # fmt: skip
        self.begun.setdefault(role, []).append(begun)

    async def complete(self, role: str, number: int) -> None:
        begun = self.begun[role][number]
        await service.complete_session(
            self.session, self.deal.id, begun.id, party_id=begun.party_id,
            signature=signer.sign_tbs(self.sides[role].key_pem, begun.tbs),
            certifier=self.authority.certifier, now=NOW,
        )  # fmt: skip

    async def refused(self, *steps: Awaitable[None]) -> None:
        """None of the steps may be taken now, and none leaves a trace in what is stored."""
        before = await self.stored()
        for step in steps:
            with pytest.raises((NotYourTurn, SessionUsed)):
                await step
        assert await self.stored() == before

    async def stored(self) -> tuple[str, int, bytes]:
        latest = await queries.document(self.session, self.deal.id)
        return self.deal.signing, latest.revision, latest.pdf


async def table_of(session: AsyncSession, authority: LocalAuthority) -> Table:
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    deal = await certified_deal(
        session, authority, licensor=licensor.party, licensee=licensee.party, now=NOW
    )
    return Table(session, authority, deal, {"licensor": licensor, "licensee": licensee})


async def test_invariant_12_in_every_state_the_service_takes_the_one_step_that_is_due(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    """Each state that can be reached, and every step from it, those of stale sessions too."""
    table = await table_of(session, authority)
    with pytest.raises(Unknown):  # the exchange signs by certifying, and nowhere else
        await service.open_session(
            session, table.deal.id, ids.new(NOW), party_id=EXCHANGE_PARTY_ID,
            key_id=table.sides["licensor"].key.id, press=PRESS, now=NOW,
        )  # fmt: skip
    await table.refused(table.open("licensee"))
    await table.open("licensor")
    await table.open("licensor")
    await table.refused(table.open("licensee"))
    await table.complete("licensor", 1)
    await table.refused(
        table.open("licensor"), table.complete("licensor", 0), table.complete("licensor", 1)
    )
    await table.open("licensee")
    await table.open("licensee")
    await table.refused(
        table.open("licensor"), table.complete("licensor", 0), table.complete("licensor", 1)
    )
    await table.complete("licensee", 0)
    every = [table.complete(role, number) for role in table.begun for number in (0, 1)]
    await table.refused(table.open("licensor"), table.open("licensee"), *every)
    await service.certify(
        session, table.deal.id, press=PRESS, certifier=authority.certifier, now=NOW
    )
    state, revision, pdf = await table.stored()
    assert (state, revision) == ("executed", 3)
    found = verification.check_signatures(pdf, authority.root_pem)
    assert [(one.role, one.good) for one in found] == [(role, True) for role in ROLES]


def flipped(pdf: bytes, place: int, bit: int) -> bytes:
    return pdf[:place] + bytes([pdf[place] ^ 1 << bit]) + pdf[place + 1 :]


def valid_by_pdfsig(pdf: bytes, folder: Path) -> int:
    """How many signatures pdfsig calls valid; none where it cannot read the file."""
    file = folder / "flipped.pdf"
    file.write_bytes(pdf)
    done = subprocess.run(
        ["pdfsig", "-nocert", str(file)], capture_output=True, timeout=60, check=False
    )
    return done.stdout.count(b"Signature is Valid")


def valid_by_openssl(pdf: bytes, cms: bytes, ranges: list[int], folder: Path, root: bytes) -> bool:
    first, end, start, length = ranges
    (folder / "root.pem").write_bytes(root)
    (folder / "one.cms").write_bytes(cms)
    (folder / "one.bin").write_bytes(pdf[first:end] + pdf[start : start + length])
    done = subprocess.run(
        ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "one.cms",
         "-content", "one.bin", "-CAfile", "root.pem", "-purpose", "any", "-out", "/dev/null"],
        cwd=folder, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode == 0


def all_good(pdf: bytes, root: bytes) -> bool:
    try:
        found = verification.check_signatures(pdf, root)
    except DocumentNotSound:
        return False
    return len(found) == 3 and all(one.good for one in found)


def test_invariant_13_a_flipped_byte_is_found_by_us_by_pdfsig_and_by_openssl(
    paper: Paper, tmp_path: Path
) -> None:
    poppler("pdfsig", "-v")
    root, drawn = paper.authority.root_pem, random.Random(SEED)
    pdf = paper.signed
    assert all_good(pdf, root) and valid_by_pdfsig(pdf, tmp_path) == 3
    for one in PdfFileReader(_stream(pdf)).embedded_regular_signatures:
        ranges = [int(part) for part in one.byte_range]
        cms = one.pkcs7_content.rstrip(b"\0")
        cms += b"\0" * (_length(cms) - len(cms))
        assert valid_by_openssl(pdf, cms, ranges, tmp_path, root)
        inside = [*range(ranges[1]), *range(ranges[2], ranges[2] + ranges[3])]
        for place in drawn.sample(inside, FLIPS):
            spoilt = flipped(pdf, place, drawn.randrange(8))
            assert not all_good(spoilt, root), place
            assert valid_by_pdfsig(spoilt, tmp_path) < 3, place
            assert not valid_by_openssl(spoilt, cms, ranges, tmp_path, root), place


def _length(der: bytes) -> int:
    """The length that the DER at the beginning has by its own header."""
    many = der[1] & 0x7F
    return 2 + many + int.from_bytes(der[2 : 2 + many])


def _stream(pdf: bytes) -> BytesIO:
    return BytesIO(pdf)


async def test_invariant_15_what_was_signed_for_one_contract_is_refused_in_another(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    one = await table_of(session, authority)
    other = Table(
        session, authority,
        await certified_deal(
            session, authority, licensor=one.sides["licensor"].party,
            licensee=one.sides["licensee"].party, now=NOW,
        ),
        one.sides,
    )  # fmt: skip
    await one.open("licensor")
    await other.open("licensor")
    moved = signer.sign_tbs(one.sides["licensor"].key_pem, one.begun["licensor"][0].tbs)
    before = await other.stored()
    with pytest.raises(BadSignature):
        await service.complete_session(
            session, other.deal.id, other.begun["licensor"][0].id,
            party_id=one.sides["licensor"].party.id, signature=moved,
            certifier=authority.certifier, now=NOW,
        )  # fmt: skip
    assert await other.stored() == before


async def test_invariant_17_the_log_has_the_hash_of_the_whole_file(
    session: AsyncSession, tmp_path: Path
) -> None:
    deal = await executed_deal(session, now=NOW, keys_dir=tmp_path)
    await lasting.archive(session, deal.id, authority=LocalAuthority.open(tmp_path), now=NOW)
    rows = await session.execute(
        text("SELECT pdf FROM deal_document WHERE deal_id = :id ORDER BY revision"),
        {"id": deal.id},
    )
    files = [bytes(row.pdf) for row in rows]
    for before, after in pairwise(files):  # invariant 11, upon what is stored
        assert after.startswith(before)
    hashes = [canonical.sha256_hex(pdf) for pdf in files]
    told = {
        kind: [canonical.loads(one.record) for one in await facts.all_of(session, deal.id, kind)]
        for kind in ("deal.certified", "deal.signed", "deal.executed", "deal.archived")
    }
    assert [one["base_sha256"] for one in told["deal.certified"]] == hashes[:1]
    assert [one["pdf_sha256"] for one in told["deal.certified"]] == hashes[1:2]
    signed = {one["role"]: one["pdf_sha256"] for one in told["deal.signed"]}
    assert signed == {"licensor": hashes[2], "licensee": hashes[3]}
    assert [one["pdf_sha256"] for one in told["deal.executed"]] == hashes[3:4]
    assert [one["pdf_sha256"] for one in told["deal.archived"]] == hashes[4:]


async def nothing_happens(
    session: AsyncSession, refusal: type[Refusal], attempt: Callable[[], Awaitable[object]]
) -> None:
    count = text("SELECT count(*) FROM deal_document")
    before = (await session.execute(count)).scalar_one()
    with pytest.raises(refusal):
        await attempt()
    assert (await session.execute(count)).scalar_one() == before


async def test_invariant_20_without_a_key_in_force_nothing_is_signed(
    session: AsyncSession, authority: LocalAuthority, tmp_path: Path
) -> None:
    """The exchange's own key missing or expired; a party's expired, unknown or another's."""
    empty = Settings(
        environment="production", home=tmp_path, keys_dir=tmp_path / "none",
        database_url="postgresql://x", operator_licence="none",
        stripe_api_key="sk_live_x", stripe_webhook_secret="whsec_x",
    )  # fmt: skip
    with pytest.raises(AuthorityMissing):
        open_authority(empty, now=NOW)
    assert not (tmp_path / "none").exists()  # and none was made to help out
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    deal = await opened_deal(session, licensor=licensor.party, licensee=licensee.party, now=NOW)
    old = LocalAuthority.ensure(tmp_path / "old", NOW - timedelta(days=365 * 11))

    async def certify(by: LocalAuthority) -> None:
        await service.certify(session, deal.id, press=PRESS, certifier=by.certifier, now=NOW)

    await nothing_happens(session, DocumentNotSound, lambda: certify(old))
    assert deal.signing == "drafted"
    await certify(authority)

    async def begin(who: Signatory, *, key: Signatory, after: timedelta) -> None:
        await service.open_session(
            session, deal.id, ids.new(NOW), party_id=who.party.id, key_id=key.key.id,
            press=PRESS, now=NOW + after,
        )  # fmt: skip

    late, now = timedelta(days=365 * 3, seconds=1), timedelta(0)
    stranger = await signatory(session, authority, kind="broadcaster", now=NOW)
    for key, after, refusal in (
        (licensor, late, CertificateExpired),
        (licensee, now, KeyNotActive),
        (stranger, now, KeyNotActive),
    ):
        await nothing_happens(
            session, refusal, lambda key=key, after=after: begin(licensor, key=key, after=after)
        )  # fmt: skip
    await begin(licensor, key=licensor, after=now)


async def test_invariant_21_pdfsig_counts_as_many_valid_signatures_as_there_are_signers(
    session: AsyncSession, tmp_path: Path
) -> None:
    deal = await executed_deal(session, now=NOW, keys_dir=tmp_path / "keys")
    authority = LocalAuthority.open(tmp_path / "keys")
    await lasting.archive(session, deal.id, authority=authority, now=NOW)
    rows = await session.execute(
        text("SELECT pdf FROM deal_document WHERE deal_id = :id ORDER BY revision"),
        {"id": deal.id},
    )
    files = [bytes(row.pdf) for row in rows]
    assert [valid_by_pdfsig(pdf, tmp_path) for pdf in files] == [0, 1, 2, 3, 3]


@pytest.mark.parametrize("way", ["the same again", "another's bytes"])
async def test_invariant_16_a_completed_session_leaves_the_stored_bytes_alone(
    session: AsyncSession, authority: LocalAuthority, way: str
) -> None:
    table = await table_of(session, authority)
    await table.open("licensor")
    begun = table.begun["licensor"][0]
    first = signer.sign_tbs(table.sides["licensor"].key_pem, begun.tbs)

    async def complete(signature: bytes) -> None:
        await service.complete_session(
            session, table.deal.id, begun.id, party_id=begun.party_id,
            signature=signature, certifier=authority.certifier, now=NOW,
        )  # fmt: skip

    await complete(first)
    before = await table.stored()
    if way == "the same again":
        await complete(first)
    else:
        with pytest.raises(SessionUsed):
            await complete(signer.sign_tbs(table.sides["licensee"].key_pem, begun.tbs))
    assert await table.stored() == before
    assert len(await facts.all_of(session, table.deal.id, "deal.signed")) == 1


async def test_the_signatures_of_a_contract_are_one_for_each_session(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    table = await table_of(session, authority)
    for role in ("licensor", "licensee"):
        await sign(session, authority, table.deal, table.sides[role], now=NOW)
    done = await queries.completed_sessions(session, table.deal.id)
    assert [one.role for one in done] == ["licensor", "licensee"]
