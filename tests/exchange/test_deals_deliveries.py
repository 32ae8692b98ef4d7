"""Content against payment over HTTP: manifests, keys that wait for money, acceptance, disputes."""

import base64
import itertools
import os
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contracts import canonical, ids
from contracts.deals import ending
from contracts.facts import queries as facts
from contracts.log import queries as log
from contracts.parties.rules import EXCHANGE_PARTY_ID
from exchange import clock, doctor, keys, reactions, worker
from exchange.context import Context
from exchange.settings import Settings
from listings.deliveries import envelopes
from listings.deliveries import service as deliveries
from listings.deliveries.complaints import Filed
from listings.deliveries.gateway import EscrowKey, EscrowKeyMissing
from tests.exchange.deliveries_desk import Hands, hands
from tests.listings.deliveries_factory import KEY, MIB, Handover, film, handed

PLAIN = film(2 * MIB + 5000)
GOOD = handed(PLAIN)
BAD = handed(PLAIN, damaged=[1])


@pytest.fixture
async def desk(context: Context) -> AsyncIterator[Hands]:
    async with hands(context, PLAIN) as opened:
        yield opened


def code(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


def key_of(desk: Hands, answer: httpx.Response, *, which: int = 0) -> bytes:
    told = answer.json()
    info = envelopes.for_release(told["contract_no"], told["manifest_sha256"])
    sealed = base64.b64decode(told["items"][which]["sealed_b64"])
    return envelopes.unseal(sealed, desk.private, info=info)


def complaint(delivery: Handover, index: int) -> bytes:
    return canonical.dumps(Filed(delivery.manifest, delivery.complaint(index), None).wire())


@pytest.mark.parametrize("order", list(itertools.permutations(["offer", "register", "pay"])))
async def test_invariant_39_no_key_before_the_settlement_is_booked_and_its_own_leaf(
    desk: Hands, order: tuple[str, ...]
) -> None:
    """Whatever comes first, and however often is asked, the key follows payment and its leaf."""
    path = f"{desk.path}/{ids.new(clock.now())}"
    for step in order:
        await _asked(desk, path)
        if step == "offer":
            await desk.licensor.put(path, json=desk.said(GOOD))
        elif step == "register":
            await desk.register()
        else:
            await desk.pay()
        await _asked(desk, path)
        await desk.turn()  # seals, and may release
        if step == "register":
            await _wake_key(desk)
        assert not await _asked(desk, path)
    waits = await desk.licensee.get(f"{path}/keys")
    assert code(waits, 409) == "key-not-released"  # released, and its leaf is not in the log
    await desk.turn()
    answer = await desk.licensee.get(f"{path}/keys")
    assert answer.status_code == 200, answer.text
    assert key_of(desk, answer) == KEY
    assert await _asked(desk, path)


async def _asked(desk: Hands, path: str) -> bool:
    """Ask for the key; an answer is right only after both leaves."""
    answer = await desk.licensee.get(f"{path}/keys")
    if answer.status_code != 200:
        assert answer.json()["code"] in ("unknown", "key-not-released")
        return False
    async with desk.context.db.transaction() as session:
        (paid,) = await facts.all_of(session, desk.deal.id, "settlement.booked")
        (fact,) = await facts.all_of(session, desk.deal.id, "key.released")
        booked = await log.get_sealed(session, paid.id)
        told = await log.get_sealed(session, fact.id)
        assert booked.seq < told.seq < await log.size(session)
    return True


async def _wake_key(desk: Hands) -> None:
    """Run what the registration of the licensee's key wakes."""
    async with desk.context.db.transaction() as session:
        found = await session.execute(
            text("SELECT id FROM delivery_key WHERE party_id = :party"),
            {"party": desk.deal.licensee_id},
        )
        told = await facts.all_of(session, found.scalar_one(), "delivery-key.registered")
        sealed = await log.get_sealed(session, told[0].id)
    (reaction,) = reactions.woken_by("delivery-key.registered")
    async with desk.context.db.transaction() as session:
        await reaction.verb(desk.context, session, sealed, clock.now())


async def test_invariant_39_nobody_else_is_ever_given_the_key(desk: Hands) -> None:
    path = await desk.released(GOOD)
    assert code(await desk.stranger.get(f"{path}/keys"), 404) == "unknown"
    assert code(await desk.licensor.get(f"{path}/keys"), 403) == "not-allowed"
    assert code(await desk.auditor.get(f"{path}/keys"), 403) == "not-allowed"
    answer = await desk.licensee.get(f"{path}/keys")
    assert answer.headers["cache-control"] == "private, no-store"
    assert KEY.hex() not in answer.text
    assert base64.b64encode(KEY).decode() not in answer.text


async def test_invariant_39_a_release_that_is_rolled_back_is_never_answered(desk: Hands) -> None:
    path = await desk.offer(GOOD)
    await desk.register()
    await desk.pay()
    await turn_without_reactions(desk)

    class KilledError(Exception):
        """The process is gone before its COMMIT."""

    escrow = keys.escrow_key(desk.context.settings)
    with pytest.raises(KilledError):
        async with desk.context.db.transaction() as session:
            assert await deliveries.release_due(
                session, desk.deal.id, escrow=escrow, now=clock.now()
            )
            raise KilledError
    await turn_without_reactions(desk)
    assert code(await desk.licensee.get(f"{path}/keys"), 409) == "key-not-released"
    async with desk.context.db.transaction() as session:
        counts = [
            await deliveries.release_due(session, desk.deal.id, escrow=escrow, now=clock.now())
            for _ in range(2)
        ]
    assert counts == [1, 0]


async def turn_without_reactions(desk: Hands) -> None:
    await desk.turn(ids.new(clock.now()))


async def test_invariant_41_what_was_released_for_one_contract_opens_for_no_other(
    desk: Hands, context: Context
) -> None:
    """One licensee, one key, one master, two contracts: neither envelope opens as the other's."""
    path = await desk.released(GOOD)
    told = (await desk.licensee.get(f"{path}/keys")).json()
    sealed = base64.b64decode(told["items"][0]["sealed_b64"])
    async with hands(context, PLAIN) as other:
        wrong = envelopes.for_release(other.deal.contract_no, told["manifest_sha256"])
        with pytest.raises(envelopes.EnvelopeBroken):
            envelopes.unseal(sealed, desk.private, info=wrong)
    right = envelopes.for_release(desk.deal.contract_no, told["manifest_sha256"])
    assert envelopes.unseal(sealed, desk.private, info=right) == KEY


async def test_a_manifest_is_offered_once_seen_by_both_sides_and_gives_way_until_paid(
    desk: Hands,
) -> None:
    path, said = f"{desk.path}/{ids.new(clock.now())}", desk.said(GOOD)
    assert code(await desk.stranger.put(path, json=said), 404) == "unknown"
    assert code(await desk.licensee.put(path, json=said), 403) == "not-allowed"
    assert [(await desk.licensor.put(path, json=said)).status_code for _ in (1, 2)] == [201, 200]
    other = desk.said(handed(PLAIN))
    assert code(await desk.licensor.put(path, json=other), 409) == "id-reused"
    for who in (desk.licensor, desk.licensee, desk.auditor):
        told = (await who.get(desk.path)).json()
        assert [one["state"] for one in told["items"]] == ["offered"]
        assert told["items"][0]["manifest"] == GOOD.manifest.wire()
        assert (told["paid"], told["recipient"]) == (False, None)
    assert code(await desk.stranger.get(desk.path), 404) == "unknown"
    await desk.offer(BAD)
    told = (await desk.licensee.get(desk.path)).json()["items"]
    assert [(one["number"], one["state"]) for one in told] == [(2, "offered"), (1, "replaced")]
    async with desk.context.db.transaction() as session:
        (first, _) = await facts.all_of(session, desk.deal.id, "delivery.manifest")
    assert canonical.loads(first.record)["manifest_sha256"] == GOOD.manifest.digest()


async def test_what_is_not_the_listed_master_cannot_be_offered(desk: Hands) -> None:
    path = f"{desk.path}/{ids.new(clock.now())}"
    foreign = desk.said(handed(film(9, "something else")))
    assert code(await desk.licensor.put(path, json=foreign), 409) == "nothing-to-deliver"
    said = desk.said(GOOD)
    said["manifest"] = {**said["manifest"], "file": {**said["manifest"]["file"],
                                                     "chunk_root": "ab" * 32}}  # fmt: skip
    assert code(await desk.licensor.put(path, json=said), 409) == "nothing-to-deliver"
    unsound = {**desk.said(GOOD), "escrow_b64": base64.b64encode(bytes(80)).decode()}
    assert code(await desk.licensor.put(path, json=unsound), 422) == "escrow-unsound"
    another = handed(PLAIN, key=bytes(32))
    swapped = {**desk.said(GOOD), "escrow_b64": desk.said(another)["escrow_b64"]}
    assert code(await desk.licensor.put(path, json=swapped), 422) == "escrow-unsound"
    lying = envelopes.seal(bytes(32), desk.escrow, info=envelopes.for_escrow(GOOD.manifest))
    wrong = {**desk.said(GOOD), "escrow_b64": base64.b64encode(lying).decode()}
    assert code(await desk.licensor.put(path, json=wrong), 422) == "escrow-unsound"
    odd = {**desk.said(GOOD), "manifest": {"typ": "x"}}
    assert code(await desk.licensor.put(path, json=odd), 422) == "bad-manifest"


async def test_threat_18_a_licensor_that_sealed_junk_is_found_out_and_delivers_anew(
    desk: Hands,
) -> None:
    path = await desk.released(BAD)
    where = f"{path}/complaints"
    filed = complaint(BAD, 1)
    assert code(await desk.stranger.post(where, content=filed), 404) == "unknown"
    assert code(await desk.licensor.post(where, content=filed), 403) == "not-allowed"
    judged = (await desk.licensee.post(where, content=filed)).json()
    assert (judged["verdict"], judged["reason"]) == ("upheld", "does-not-open")
    assert judged["delivery"]["state"] == "disputed"
    assert (await desk.licensee.post(where, content=filed)).json() == judged
    assert code(await desk.licensee.post(f"{path}/acceptance"), 409) == (
        "delivery-step-not-possible"
    )
    again = await desk.offer(GOOD)
    await desk.turn()
    await desk.turn()
    assert key_of(desk, await desk.licensee.get(f"{again}/keys")) == KEY
    accepted = await desk.licensee.post(f"{again}/acceptance")
    assert (accepted.json()["state"], accepted.json()["how"]) == ("accepted", "said")
    async with desk.context.db.transaction() as session:
        (told,) = await facts.all_of(session, desk.deal.id, "delivery.disputed")
    assert canonical.loads(told.record)["verdict"] == "upheld"


async def test_threat_19_a_false_complaint_is_rejected_and_stays_on_record(desk: Hands) -> None:
    path = await desk.released(GOOD)
    where = f"{path}/complaints"
    judged = (await desk.licensee.post(where, content=complaint(GOOD, 0))).json()
    assert (judged["verdict"], judged["reason"]) == ("rejected", "as-promised")
    assert judged["delivery"]["state"] == "released"
    assert [one["verdict"] for one in judged["delivery"]["complaints"]] == ["rejected"]
    forged = canonical.loads(complaint(GOOD, 0))
    forged["chunk"] = "ab" * 32
    refused = await desk.licensee.post(where, content=canonical.dumps(forged))
    assert code(refused, 422) == "complaint-invalid"
    assert refused.json()["reason"] == "chunk-not-anchored"
    other = await desk.licensee.post(where, content=complaint(BAD, 1))
    assert code(other, 422) == "complaint-of-another"
    assert code(await desk.licensee.post(where, content=b"{}"), 422) == "bad-complaint"
    long = await desk.licensee.post(where, content=bytes(2 * MIB + 1))
    assert code(long, 413) == "complaint-too-large"
    done = await desk.licensee.post(f"{path}/acceptance")
    assert done.json()["state"] == "accepted"


async def test_threat_20_a_licensor_releases_the_key_where_the_exchange_does_not(
    desk: Hands,
) -> None:
    path, key_id = await desk.offer(GOOD), await desk.register()
    info = envelopes.for_release(desk.deal.contract_no, GOOD.manifest.digest())
    sealed = envelopes.seal(KEY, envelopes.public_of(desk.private), info=info)
    body = {"sealed_b64": base64.b64encode(sealed).decode()}
    where = f"{path}/releases/{key_id}"
    assert code(await desk.licensor.put(where, json=body), 409) == "not-paid-yet"
    await desk.pay()
    await turn_without_reactions(desk)  # the exchange does nothing
    assert code(await desk.licensee.get(f"{path}/keys"), 409) == "key-not-released"
    assert code(await desk.licensee.put(where, json=body), 403) == "not-allowed"
    assert [(await desk.licensor.put(where, json=body)).status_code for _ in (1, 2)] == [201, 200]
    other = {"sealed_b64": base64.b64encode(bytes(80)).decode()}
    assert code(await desk.licensor.put(where, json=other), 409) == "id-reused"
    assert code(await desk.licensee.get(f"{path}/keys"), 409) == "key-not-released"
    await turn_without_reactions(desk)
    answer = await desk.licensee.get(f"{path}/keys")
    assert [one["by"] for one in answer.json()["items"]] == ["licensor"]
    assert key_of(desk, answer) == KEY


async def test_silence_is_acceptance_when_the_time_to_object_is_over(desk: Hands) -> None:
    path = await desk.released(GOOD)
    told = (await desk.licensee.get(desk.path)).json()["items"][0]
    by, at = (datetime.fromisoformat(told[name]) for name in ("accept_by", "released_at"))
    assert timedelta(days=10) < by - at <= timedelta(days=11)
    while await worker.accept_deliveries(desk.context):
        pass
    assert await desk.state(path) == "released"
    async with desk.context.db.transaction() as session:
        while await deliveries.accept_due(session, now=by):
            pass
    assert await desk.state(path) == "accepted"
    late = await desk.licensee.post(f"{path}/complaints", content=complaint(GOOD, 0))
    assert code(late, 409) == "delivery-step-not-possible"
    async with desk.context.db.transaction() as session:
        (fact,) = await facts.all_of(session, desk.deal.id, "delivery.accepted")
    assert canonical.loads(fact.record)["how"] == "deemed"


async def test_a_key_registered_later_gets_the_content_too_and_a_revoked_one_nothing(
    desk: Hands,
) -> None:
    path = await desk.released(GOOD)
    first = (await desk.licensee.get(f"/v1/parties/{desk.deal.licensee_id}/delivery-keys")).json()
    where = f"/v1/parties/{desk.deal.licensee_id}/delivery-keys/{first['items'][0]['id']}"
    assert code(await desk.licensor.delete(where), 404) == "unknown"
    for _ in range(2):
        assert (await desk.licensee.delete(where)).json()["state"] == "revoked"
    lost, desk.private = desk.private, envelopes.generate()
    key_id = await desk.register()
    async with desk.context.db.transaction() as session:
        await deliveries.release_due(
            session, desk.deal.id, escrow=keys.escrow_key(desk.context.settings), now=clock.now()
        )
    await turn_without_reactions(desk)
    answer = await desk.licensee.get(f"{path}/keys")
    assert key_of(desk, answer, which=1) == KEY
    names = [one["recipient"] for one in answer.json()["items"]]
    assert names == [envelopes.name_of(envelopes.public_of(one)) for one in (lost, desk.private)]
    again = {"public_b64": base64.b64encode(envelopes.public_of(desk.private)).decode()}
    keys_at = f"/v1/parties/{desk.deal.licensee_id}/delivery-keys"
    assert (await desk.licensee.put(f"{keys_at}/{key_id}", json=again)).status_code == 200
    taken = await desk.licensee.put(f"{keys_at}/{ids.new(clock.now())}", json=again)
    assert code(taken, 409) == "key-taken"
    weak = {"public_b64": base64.b64encode(bytes(32)).decode()}
    odd = await desk.licensee.put(f"{keys_at}/{ids.new(clock.now())}", json=weak)
    assert code(odd, 422) == "bad-delivery-key"


async def test_nothing_is_delivered_under_a_contract_that_has_ended(desk: Hands) -> None:
    path = await desk.offer(GOOD)
    await desk.register()
    async with desk.context.db.transaction() as session:
        await ending.rescind(
            session, desk.deal.id, reason="order", by=EXCHANGE_PARTY_ID, now=clock.now()
        )
    await desk.pay()
    await desk.turn()
    await desk.turn()
    assert code(await desk.licensee.get(f"{path}/keys"), 409) == "key-not-released"
    anew = f"{desk.path}/{ids.new(clock.now())}"
    refused = await desk.licensor.put(anew, json=desk.said(handed(PLAIN)))
    assert code(refused, 409) == "delivery-not-possible"


async def test_the_database_keeps_what_was_promised_and_what_was_released(desk: Hands) -> None:
    path = await desk.released(GOOD)
    await desk.licensee.post(f"{path}/acceptance")
    at = {"deal": desk.deal.id}
    for change in (
        "UPDATE delivery SET place = 'x' WHERE deal_id = :deal",
        "UPDATE delivery SET manifest = 'x' WHERE deal_id = :deal",
        "UPDATE delivery SET state = 'released', how = NULL, settled_at = NULL "
        "WHERE deal_id = :deal",
        "UPDATE delivery_release SET sealed = sealed WHERE deal_id = :deal",
        "DELETE FROM delivery_release WHERE deal_id = :deal",
    ):
        with pytest.raises(DBAPIError):
            async with desk.context.db.transaction() as session:
                await session.execute(text(change), at)


async def test_the_escrow_key_is_the_exchanges_alone_or_nothing_is_delivered(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    told = (await client.get("/v1/deliveries/escrow-key")).json()
    public = base64.b64decode(told["public_b64"])
    assert told["sha256"] == envelopes.name_of(public)
    path = settings.keys / "escrow.key"
    assert path.stat().st_mode & 0o777 == 0o600
    os.chmod(path, 0o644)  # noqa: PTH101 - as an operator's slip would.
    try:
        with pytest.raises(EscrowKeyMissing):
            EscrowKey.open(settings.keys)
        assert code(await client.get("/v1/deliveries/escrow-key"), 503) == "escrow-key-missing"
        assert doctor._escrow(settings).state == "fault"
    finally:
        path.chmod(0o600)
    assert doctor._escrow(settings).state == "ok"


def test_what_releases_a_key_is_in_the_table_of_reactions() -> None:
    for kind, name in (
        ("settlement.booked", "release-keys"), ("payment.carried", "release-carried-keys"),
        ("delivery.manifest", "release-late-keys"),
        ("delivery-key.registered", "release-to-key"),
    ):  # fmt: skip
        assert name in [one.name for one in reactions.woken_by(kind)]
