"""The exchange asks witnesses, and a deal takes effect when their quorum has seen it."""

import io
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from contracts import canonical, verify
from contracts.deals import awaiting
from contracts.deals import queries as deals
from contracts.deals.rules import DealNotEffective
from contracts.evidence import checking
from contracts.facts import queries as facts
from contracts.facts.tables import Fact
from contracts.log import policy, queries, witnesses
from contracts.log.gateway import LogSigner
from contracts.log.policy import PolicyUnreadable, QuorumNotMet
from contracts.log.tables import LogCosignature
from contracts.log.witnesses import PolicyForOthers
from exchange import clock, doctor, jobs, keys, witnessing, worker
from exchange.authority import open_authority
from exchange.context import Context
from exchange.evidence import bundle
from exchange.evidence.bundle import EvidenceNotReady
from exchange.settings import Settings
from exchange.witnessing import Asker
from tests.contracts.log_factory import a_fact
from tests.exchange.evidence_factory import Trade, executed_trade
from tests.exchange.identity_factory import api_key, person
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser
from tests.exchange.witness_factory import Running, a_witness

NAMES = ("lic", "lee", "aud")


@pytest.fixture(scope="module")
def signer(settings: Settings) -> LogSigner:
    return keys.log_signer(settings)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, signer: LogSigner) -> Iterator[list[Running]]:
    folder = tmp_path_factory.mktemp("witnesses")
    made = [a_witness(folder / name, f"{name}.example/w1", signer.verifier) for name in NAMES]
    yield made
    for one in made:
        one.stop()


def policy_text(signer: LogSigner, three: list[Running], quorum: str = "any2") -> str:
    lines = [f"log {signer.verifier.vkey}\n"]
    lines += [one.line(name) for one, name in zip(three, NAMES, strict=True)]
    return "".join([*lines, f"group any2 2 {' '.join(NAMES)}\n", f"quorum {quorum}\n"])


async def adopt(context: Context, signer: LogSigner, written: str) -> None:
    async with context.db.transaction() as session:
        await witnesses.adopt(
            session, policy.parse(written), log_key=signer.verifier, now=clock.now()
        )


@pytest.fixture
async def demanded(
    context: Context, signer: LogSigner, three: list[Running]
) -> AsyncIterator[policy.Policy]:
    """A policy of two in three is in force; afterwards one that asks for nobody is."""
    written = policy_text(signer, three)
    await adopt(context, signer, written)
    yield policy.parse(written)
    await adopt(context, signer, policy_text(signer, three, "none"))


async def seal(context: Context, signer: LogSigner) -> None:
    while await worker.seal(context, signer):
        pass


async def newest_note(client: httpx.AsyncClient) -> str:
    return (await client.get("/v1/log/checkpoint")).text


async def executed(context: Context, trade: Trade) -> Fact:
    async with context.db.transaction() as session:
        found = await facts.find_first_of(session, trade.deal.id, "deal.executed")
    assert found is not None
    return found


async def plans_waiting(context: Context, trade: Trade) -> int:
    """Return how many jobs will plan the settlement of the deal."""
    fact = await executed(context, trade)
    async with context.db.transaction() as session:
        found = await session.execute(
            text(
                "SELECT count(*) FROM procrastinate_jobs WHERE args->>'fact_id' = :fact "
                "AND args->>'reaction' = 'plan-settlement'"
            ),
            {"fact": str(fact.id)},
        )
        return int(found.scalar_one())


async def evidence(
    context: Context, signer: LogSigner, trade: Trade
) -> tuple[dict[str, bytes], bytes]:
    async with context.db.transaction() as session:
        authority = open_authority(context.settings, now=clock.now())
        _, content = await bundle.assemble(
            session, trade.deal.id, party=None, signer=signer, authority=authority
        )
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}, content


def it_verifies_by_a_policy_that_is_met(folder: Path, demanded: policy.Policy) -> None:
    stricter = demanded.text.replace("any2 2", "any2 3")
    (folder / "mine.txt").write_text(demanded.text)
    (folder / "stricter.txt").write_text(stricter)
    zipped = str(folder / "evidence.zip")
    assert verify.main([zipped, "--policy", str(folder / "mine.txt")]) == verify.HOLDS
    assert verify.main([zipped, "--policy", str(folder / "stricter.txt")]) == verify.FAILS
    assert verify.main([zipped, "--policy", zipped]) == verify.UNUSABLE
    report = checking.verify(Path(zipped), trusted=policy.parse(stricter))
    [failed] = [check for check in report.checks if not check.ok]
    assert (failed.name, "2 cosigned (lee, lic)" in failed.detail) == ("policy", True)


async def test_a_deal_takes_effect_when_two_of_three_witnesses_have_seen_it(
    context: Context,
    client: httpx.AsyncClient,
    signer: LogSigner,
    three: list[Running],
    demanded: policy.Policy,
    tmp_path: Path,
) -> None:
    async with context.db.transaction() as session:
        trade = await executed_trade(session, context.settings.keys)
    assert (trade.deal.signing, trade.deal.performance) == ("executed", "pending")
    await seal(context, signer)
    assert await plans_waiting(context, trade) == 0
    with pytest.raises(EvidenceNotReady):
        await evidence(context, signer, trade)
    three[0].start()
    await one_witness_is_not_enough(context, trade, client, demanded)
    three[1].start()  # the third stays down
    assert await witnessing.ask_witnesses(context, Asker()) == 2  # its line, and the quorum
    assert policy.open_cosigned(await newest_note(client), demanded).missing == 0
    assert await plans_waiting(context, trade) == 1
    fact = await executed(context, trade)
    for _again in range(2):
        await jobs.react(context, fact.id, "plan-settlement")
    await it_is_told_once(context, trade, demanded)

    await its_page_and_the_api_say_who_has_seen_it(context, trade, client)

    await seal(context, signer)  # `deal.witnessed` and what follows are leaves like any other
    assert await witnessing.ask_witnesses(context, Asker()) == 3
    files, zipped = await evidence(context, signer, trade)
    assert files["log-policy.txt"].decode() == demanded.text
    met = policy.open_cosigned(files["checkpoint.txt"].decode(), demanded)
    assert sorted(met.cosigned) == ["lee", "lic"]
    (tmp_path / "evidence.zip").write_bytes(zipped)
    it_verifies_by_a_policy_that_is_met(tmp_path, demanded)
    proof = (await client.get(f"/v1/log/proof/{fact.id}")).json()["tlog_proof"]
    policy.open_cosigned(proof.partition("\n\n")[2], demanded)


async def one_witness_is_not_enough(
    context: Context, trade: Trade, client: httpx.AsyncClient, demanded: policy.Policy
) -> None:
    assert await witnessing.ask_witnesses(context, Asker()) == 1
    assert await witnessing.ask_witnesses(context, Asker()) == 0
    judged = policy.judge(await newest_note(client), demanded)
    assert (sorted(judged.cosigned), judged.missing) == (["lic"], 1)
    async with context.db.transaction() as session:
        seq = await awaiting.executed_seq(session, trade.deal)
        assert await witnessing.standing(session, seq) == (1, 2)
        with pytest.raises(DealNotEffective):
            await awaiting.take_effect(session, trade.deal.id, now=clock.now())
    assert await plans_waiting(context, trade) == 0
    page = await page_of(context, trade)
    assert "Waits for witnesses: 1 of 2 have cosigned." in page
    assert "/evidence" not in page
    told = {"policy_sha256": demanded.sha256, "cosigned": ["lic"], "needed": 2}
    assert await seen_by(context, trade, client) == told


async def its_page_and_the_api_say_who_has_seen_it(
    context: Context, trade: Trade, client: httpx.AsyncClient
) -> None:
    page = await page_of(context, trade)
    assert "Waits for witnesses" not in page
    assert "Seen in the public log by lic, lee; 2 witnesses were needed." in page
    assert "/evidence" in page
    assert (await seen_by(context, trade, client))["cosigned"] == ["lic", "lee"]


async def seen_by(context: Context, trade: Trade, client: httpx.AsyncClient) -> Any:
    """What the API says of who has seen the deal executed."""
    async with context.db.transaction() as session:
        who = await person(session, party_id=trade.licensor.id, role="holder", now=clock.now())
        key = await api_key(session, person=who, now=clock.now())
    answer = await client.get(
        f"/v1/deals/{trade.deal.id}", headers={"Authorization": f"Bearer {key}"}
    )
    return answer.json()["witnesses"]


async def page_of(context: Context, trade: Trade) -> str:
    """The deal's page as its licensor sees it."""
    async with context.db.transaction() as session:
        who = await person(session, party_id=trade.licensor.id, role="holder", now=clock.now())
    async with browser(context) as visitor:
        await enter(visitor, who)
        return (await visitor.get(f"/deals/{trade.deal.id}")).text


async def it_is_told_once(context: Context, trade: Trade, demanded: policy.Policy) -> None:
    async with context.db.transaction() as session:
        deal = await deals.get_deal(session, trade.deal.id)
        witnessed = await facts.all_of(session, trade.deal.id, "deal.witnessed")
        seq = await awaiting.executed_seq(session, deal)
    assert deal.performance == "effective"
    [told] = [canonical.loads(one.record) for one in witnessed]
    assert told["policy_sha256"] == demanded.sha256
    assert seq is not None
    assert told["size"] > seq
    record = canonical.loads((await executed(context, trade)).record)
    assert record["policy_sha256"] == demanded.sha256


async def test_a_witness_that_was_away_is_asked_later_with_the_latest_checkpoint(
    context: Context, signer: LogSigner, three: list[Running], demanded: policy.Policy
) -> None:
    for one in three[:2]:
        if not one.processes:
            one.start()
    asker = Asker()
    for _round in range(2):
        await a_fact(context.db)
        await seal(context, signer)
        assert await witnessing.ask_witnesses(context, asker) == 3
    vkey = three[2].opened.signer.cosigner.vkey
    assert not asker.may_ask(vkey, clock.now())
    three[2].start()
    asker.answered(vkey)
    assert await witnessing.ask_witnesses(context, asker) == 1
    async with context.db.transaction() as session:
        newest = await queries.latest_checkpoint(session)
        judged = policy.judge(await witnesses.cosigned_note(session, newest), demanded)
    assert (sorted(judged.cosigned), judged.missing) == (sorted(NAMES), 0)
    # A worker that has forgotten what they saw is told by each, and proves from there.
    await a_fact(context.db)
    await seal(context, signer)
    told = Asker(sizes={one.opened.signer.cosigner.vkey: 1 for one in three})
    assert await witnessing.ask_witnesses(context, told) == 4


async def test_threat_13_a_database_older_than_what_witnesses_saw_gets_no_cosignature(
    context: Context, signer: LogSigner, demanded: policy.Policy
) -> None:
    """The witnesses have cosigned a larger tree than this database holds (a restored backup)."""
    await a_fact(context.db)
    await seal(context, signer)
    async with context.db.transaction() as session:
        newest = await queries.latest_checkpoint(session)
    ahead = Asker(sizes={one.cosigner.vkey: newest.size + 7 for one in demanded.witnesses})
    assert await witnessing.ask_witnesses(context, ahead) == 0
    with pytest.raises(QuorumNotMet):
        policy.open_cosigned(newest.note, demanded)


async def test_lines_of_others_and_wrong_lines_are_not_kept(
    context: Context, signer: LogSigner, three: list[Running], demanded: policy.Policy
) -> None:
    await a_fact(context.db)
    await seal(context, signer)
    async with context.db.transaction() as session:
        newest = await queries.latest_checkpoint(session)
        known, other = demanded.witnesses[0].cosigner, three[1].opened.signer
        theirs = other.cosign("another text\n", time_s=1)
        assert not await witnesses.keep(session, newest, theirs, cosigner=known, now=clock.now())
        wrong = three[0].opened.signer.cosign("another text\n", time_s=1)
        with pytest.raises(policy.note.UntrustedNote):
            await witnesses.keep(session, newest, wrong, cosigner=known, now=clock.now())
        kept = select(col(LogCosignature.vkey)).where(col(LogCosignature.size) == newest.size)
        assert (await session.execute(kept)).all() == []


@pytest.mark.usefixtures("demanded")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_policy SET text = text",
        "DELETE FROM log_policy",
        "UPDATE log_cosignature SET line = line",
        "DELETE FROM log_cosignature",
        "UPDATE log_quorum SET met_at = met_at",
        "DELETE FROM log_quorum",
    ],
)
async def test_what_witnesses_said_cannot_be_changed(context: Context, statement: str) -> None:
    with pytest.raises(DBAPIError):
        async with context.db.transaction() as session:
            await session.execute(text(statement))


async def test_the_policy_in_force_is_public_and_its_adoption_is_in_the_log(
    context: Context, client: httpx.AsyncClient, signer: LogSigner, demanded: policy.Policy
) -> None:
    answer = await client.get("/v1/log/policy")
    assert (answer.status_code, answer.text) == (200, demanded.text)
    await adopt(context, signer, demanded.text)  # again: nothing new
    async with context.db.transaction() as session:
        found = await session.execute(
            text("SELECT count(*) FROM fact WHERE kind = 'policy.adopted'")
        )
        rows = await session.execute(text("SELECT count(*) FROM log_policy"))
        assert found.scalar_one() == rows.scalar_one()


async def test_the_doctor_tells_what_the_quorum_has_seen(
    context: Context, signer: LogSigner, three: list[Running], tmp_path: Path
) -> None:
    async def told(settings: Settings) -> tuple[str, str]:
        async with context.db.transaction() as session:
            found = await doctor._witnesses(session, settings)
        return found.state, found.detail

    named = context.settings.model_copy(update={"log_policy": tmp_path / "policy.txt"})
    assert await told(named) == ("fault", f"{tmp_path / 'policy.txt'} cannot be read.")
    written = policy_text(signer, three) + f"# {tmp_path}\n"
    (tmp_path / "policy.txt").write_text(written)
    assert "is not in force" in (await told(named))[1]
    await adopt(context, signer, written)
    await seal(context, signer)
    state, detail = await told(named)
    assert (state, "3 are asked" in detail) == ("warning", True)
    await adopt(context, signer, policy_text(signer, three, "none"))
    assert (await told(context.settings))[0] == "ok"


async def test_a_policy_for_another_log_is_refused(
    context: Context, signer: LogSigner, three: list[Running]
) -> None:
    other = policy_text(signer, three).replace(f"log {signer.verifier.vkey}\n", "")
    with pytest.raises(PolicyForOthers):
        await adopt(context, signer, other)


async def test_the_policy_comes_from_the_file_that_the_settings_name(
    context: Context, signer: LogSigner, three: list[Running], tmp_path: Path
) -> None:
    written = policy_text(signer, three, "none")
    (tmp_path / "policy.txt").write_text(written)
    named = Context(
        context.settings.model_copy(update={"log_policy": tmp_path / "policy.txt"}), context.db
    )
    await witnessing.watch(named, signer, Asker())
    async with context.db.transaction() as session:
        current = await witnesses.policy_in_force(session)
    assert current is not None
    assert current.text == written
    gone = context.settings.model_copy(update={"log_policy": tmp_path / "gone.txt"})
    with pytest.raises(PolicyUnreadable):
        witnessing.read_policy(gone)
