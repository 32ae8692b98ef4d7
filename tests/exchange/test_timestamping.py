"""Outside time-stamping authorities: asked in order, and never in the way of a signature."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import extraction, lasting, queries, timestamps, verification
from contracts.deals.tables import Deal
from contracts.evidence import deal_checks
from contracts.evidence.opened import TIME_ROOTS, Bundle
from contracts.facts import queries as facts
from contracts.parties.gateway import LocalAuthority
from contracts.parties.times import NotStamped
from exchange import clock, doctor, timestamping
from exchange.authority import open_authority
from exchange.evidence import bundle
from exchange.settings import Settings
from exchange.timestamping import OutsideAuthorities
from tests.conftest import NOW
from tests.contracts import tsa_standin
from tests.contracts.deals_factory import certified_deal, sign, signatory
from tests.contracts.tsa_standin import Tsa

DIGEST = hashlib.sha256(b"a signature").digest()
LATER = NOW + timedelta(minutes=1)


class Two:
    """Two authorities of one root, the first preferred, over real HTTP."""

    def __init__(self, first: Tsa, second: Tsa, urls: tuple[str, str]) -> None:
        self.first, self.second, self.urls = first, second, urls
        self.asked = OutsideAuthorities(urls, first.root_pem)

    def behave(self, first: str, second: str = "good") -> None:
        self.first.manner, self.second.manner = first, second
        self.first.asked.clear()
        self.second.asked.clear()

    @property
    def counts(self) -> tuple[int, int]:
        return len(self.first.asked), len(self.second.asked)


@pytest.fixture(scope="module")
def tsa() -> Tsa:
    return tsa_standin.make()


@pytest.fixture
def two(tsa: Tsa) -> Iterator[Two]:
    first, second = replace(tsa, asked=[]), replace(tsa, asked=[])
    with ExitStack() as stack:
        urls = tuple(stack.enter_context(tsa_standin.served(one)) for one in (first, second))
        yield Two(first, second, (urls[0], urls[1]))


async def test_the_first_authority_is_asked_and_no_other(two: Two) -> None:
    two.behave("good")
    await two.asked.token(DIGEST, at=NOW)
    assert two.counts == (1, 0)


@pytest.mark.parametrize(
    "manner", ["500", "late", "dripping", "long", "garbage", "refused", "nonce", "imprint", "clock"]
)
async def test_whoever_fails_is_passed_over_and_asked_last_the_next_time(
    two: Two, manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if manner in ("late", "dripping"):  # the others have all the time they need
        monkeypatch.setattr(timestamping, "ANSWER_S", 0.5)
    two.behave(manner)
    await two.asked.token(DIGEST, at=NOW)
    assert two.counts == (1, 1)
    await two.asked.token(DIGEST, at=NOW)
    assert two.counts == (1, 2)
    two.behave("good", "500")
    await two.asked.token(DIGEST, at=NOW)  # it has recovered, and the second has not
    assert two.counts[0] == 1
    two.behave("good", "good")
    await two.asked.token(DIGEST, at=NOW)
    assert two.counts == (1, 0)


async def test_where_nobody_answers_it_is_told_of_each_why(two: Two) -> None:
    two.behave("refused", "nonce")
    with pytest.raises(NotStamped) as told:
        await two.asked.token(DIGEST, at=NOW)
    assert all(url in str(told.value) for url in two.urls)
    assert "rejection" in str(told.value) and "another nonce" in str(told.value)
    gone = OutsideAuthorities(("http://127.0.0.1:9/tsa",), two.first.root_pem)
    with pytest.raises(NotStamped, match=r"127\.0\.0\.1:9"):
        await gone.token(DIGEST, at=NOW)


def openssl_says(tmp_path: Path, pdf: bytes, root: bytes) -> list[bool]:
    """Whether `openssl ts` accepts the time-stamp of each signature under this root."""
    (tmp_path / "root.pem").write_bytes(root)
    said, copies = [], extraction.copies(pdf)
    for name in sorted(name for name in copies if name.endswith(".sig")):
        (tmp_path / "one.sig").write_bytes(copies[name])
        (tmp_path / "one.tst").write_bytes(copies[name.removesuffix(".sig") + ".tst"])
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-token_in", "-in", "one.tst", "-data", "one.sig",
             "-CAfile", "root.pem"],
            cwd=tmp_path, capture_output=True, timeout=60, check=False,
            env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        said.append(done.returncode == 0)
    return said


async def signed_by_all(
    session: AsyncSession, authority: LocalAuthority, two: Two, manners: tuple[str, str, str]
) -> Deal:
    """A contract; the authority behaves so at the certification and at each signature."""
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    two.behave(manners[0], manners[0])
    deal = await certified_deal(
        session, authority, licensor=licensor.party, licensee=licensee.party, now=NOW
    )
    for manner, side in zip(manners[1:], (licensor, licensee), strict=True):
        two.behave(manner, manner)
        await sign(session, authority, deal, side, now=NOW)
    return deal


def outside(tmp_path: Path, two: Two) -> LocalAuthority:
    """The exchange's authority with the two instead of its own time key."""
    authority = LocalAuthority.ensure(tmp_path / "keys", NOW)
    authority.certifier = replace(
        authority.certifier, outside=two.asked, time_roots_pem=two.first.root_pem
    )
    return authority


async def test_a_contract_is_stamped_by_somebody_else_in_the_place_of_the_exchange(
    session: AsyncSession, two: Two, tmp_path: Path
) -> None:
    authority = outside(tmp_path, two)
    deal = await signed_by_all(session, authority, two, ("good", "good", "good"))
    await lasting.archive(session, deal.id, authority=authority, now=LATER)
    latest = await queries.document(session, deal.id)
    root, theirs = authority.root_pem, two.first.root_pem
    found = verification.check_signatures(latest.pdf, root, time_roots_pem=theirs)
    assert [(one.good, one.level) for one in found] == [(True, "B-LTA")] * 3
    # Their root is trusted for times and nothing else, ours does not lead to their stamps.
    assert not any(one.good for one in verification.check_signatures(latest.pdf, root))
    with pytest.raises(verification.DocumentNotSound):
        verification.require_sound(latest.pdf, theirs, keys={}, terms=deal.terms)
    assert openssl_says(tmp_path, latest.pdf, theirs) == [True] * 3
    assert openssl_says(tmp_path, latest.pdf, root) == [False] * 3
    assert await facts.all_of(session, deal.id, "deal.unstamped") == []
    # The evidence carries their root, and is checked with it.
    sealed = [(None, one) for one in await facts.all_of(session, deal.id, "deal.archived")]
    files = await bundle._of_contract(session, deal, authority, sealed)
    assert files[TIME_ROOTS] == theirs
    nothing: Any = None
    held = Bundle(files, nothing, nothing, nothing, ())
    assert all(one.good for one in deal_checks.verdicts_of(held))
    without = replace(held, files={**files, TIME_ROOTS: b""})
    assert not any(one.good for one in deal_checks.verdicts_of(without))


async def test_invariant_19_while_no_authority_answers_a_contract_is_signed_and_upgraded_later(
    session: AsyncSession, two: Two, tmp_path: Path
) -> None:
    authority = outside(tmp_path, two)
    deal = await signed_by_all(session, authority, two, ("good", "500", "garbage"))
    assert deal.signing == "executed"
    signed = await queries.document(session, deal.id)
    check = {"root_pem": authority.root_pem, "time_roots_pem": two.first.root_pem}
    found = verification.check_signatures(signed.pdf, **check)
    assert [(one.good, one.level) for one in found] == [
        (True, "B-T"), (True, "B-B"), (True, "B-B"),
    ]  # fmt: skip
    told = [canonical.loads(one.record) for one in await facts.all_of(
        session, deal.id, "deal.unstamped")]  # fmt: skip
    assert {(one["role"], one["level"]) for one in told} == {
        ("licensor", "B-B"), ("licensee", "B-B"),
    }  # fmt: skip
    two.behave("nonce", "500")
    await lasting.archive(session, deal.id, authority=authority, now=LATER)
    assert (await queries.document(session, deal.id)).sha256 == signed.sha256
    two.behave("good")
    await lasting.archive(session, deal.id, authority=authority, now=LATER)
    latest = await queries.document(session, deal.id)
    assert latest.pdf.startswith(signed.pdf)
    found = verification.check_signatures(latest.pdf, **check)
    assert [(one.good, one.level) for one in found] == [(True, "B-LTA")] * 3
    [archived] = await facts.all_of(session, deal.id, "deal.archived")
    assert canonical.loads(archived.record)["signatures"] == ["B-T", "B-B", "B-B"]


def settings_of(tmp_path: Path, two: Two) -> Settings:
    roots = tmp_path / "time-roots.pem"
    roots.write_bytes(two.first.root_pem)
    return Settings(home=tmp_path, tsa_urls=" ".join(two.urls), tsa_roots=roots)


async def test_the_settings_name_the_authorities(two: Two, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, two)
    certifier = open_authority(settings, now=clock.now()).certifier
    assert isinstance(certifier.outside, OutsideAuthorities)
    assert certifier.outside.urls == two.urls
    assert timestamps.source(certifier) is certifier.outside
    again = open_authority(settings, now=clock.now()).certifier
    assert again.outside is certifier.outside  # it remembers who failed
    # Those who are asked no more are still trusted for what they stamped.
    since = settings.model_copy(update={"tsa_urls": ""})
    later = open_authority(since, now=clock.now()).certifier
    assert (later.outside, later.time_roots_pem) == (None, two.first.root_pem)
    assert timestamps.source(later) is later.time


@pytest.mark.parametrize(
    ("urls", "roots", "why"),
    [
        ("ftp://tsa.example", b"", "no address of an authority"),
        ("http://tsa.example", None, "must name the roots"),
        ("http://tsa.example", b"nothing", "cannot be read|holds no certificate"),
        ("http://tsa.example", b"", "holds no certificate"),
    ],
)
def test_settings_that_could_not_work_stop_the_start(
    tmp_path: Path, urls: str, roots: bytes | None, why: str
) -> None:
    file = tmp_path / "roots.pem"
    if roots is not None:
        file.write_bytes(roots)
    with pytest.raises(ValueError, match=why):
        Settings(home=tmp_path, tsa_urls=urls, tsa_roots=None if roots is None else file)


async def test_the_doctor_asks_every_authority(two: Two, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, two)
    two.first.clock = two.second.clock = clock.now
    for manners, state, said in (
        (("good", "good"), "ok", "2 of 2 outside authorities stamp"),
        (("500", "good"), "warning", "it answers 500"),
        (("500", "nonce"), "fault", "level B-B"),
    ):
        two.behave(*manners)
        found = await doctor._time_stamps(settings)
        assert (found.state, said in found.detail) == (state, True), found
