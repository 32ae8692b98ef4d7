"""Grants and deals as ODRL over the API, and policies compared by API and command."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts import ids
from contracts.odrl import compare, reading
from contracts.odrl.policy import Modality
from contracts.rights.logic import Verdict
from contracts.titles import service as titles
from exchange import avails_cli, clock
from exchange.context import Context
from tests.contracts.odrl_factory import document
from tests.contracts.rights_factory import wire
from tests.contracts.test_odrl_export import faults
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_deals_endpoints import Desk, code, desk

__all__ = ["desk"]  # the fixture of the same name
PAIRS = Path(__file__).parent.parent / "vectors" / "odrl_pairs"
PAIR = {
    "conflict": ("conflict_exclusive_against_plain_in_a_province", 3),
    "compatible": ("compatible_exclusive_in_other_countries", 0),
    "unknown": ("unknown_place_of_another_gazetteer", 4),
}


def text(name: str, letter: str) -> str:
    return (PAIRS / f"{name}_{letter}.ttl").read_text("utf-8")


def asked(first: str, second: str, form: str = "turtle") -> dict[str, Any]:
    return {
        "first": {"format": form, "text": first},
        "second": {"format": form, "text": second},
    }


async def test_an_executed_deal_is_an_agreement_for_its_parties_and_staff(desk: Desk) -> None:
    path = f"{desk.path}/odrl"
    assert code(await desk.licensor.get(path), 409) == "deal-not-effective"
    await desk.sign("licensor")
    await desk.sign("licensee")
    answers = [await who.get(path) for who in (desk.licensor, desk.licensee, desk.auditor)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].headers["content-type"] == "application/ld+json"
    made = answers[0].json()
    assert (made["@type"], made["uid"]) == ("Agreement", f"urn:uuid:{desk.deal.id}")
    assert made["dct:identifier"] == desk.deal.contract_no
    paid = made["obligation"][0]["action"]["refinement"][0]
    assert paid["rightOperand"]["@value"] == desk.deal.price.decimal()
    assert faults(made) == ""
    assert code(await desk.stranger.get(path), 404) == "unknown"


async def test_a_held_grant_is_an_offer_and_an_effective_one_an_agreement(
    desk: Desk,
) -> None:
    listed = await desk.licensor.get(f"/v1/works/{desk.deal.work_id}/grants")
    (grant,) = listed.json()["items"]
    path = f"/v1/works/{desk.deal.work_id}/grants/{grant['id']}/odrl"
    before = (await desk.licensor.get(path)).json()
    await desk.sign("licensor")
    await desk.sign("licensee")
    after = (await desk.licensee.get(path)).json()
    assert (before["@type"], after["@type"]) == ("Offer", "Agreement")
    assert faults(after) == faults(before) == ""
    assert code(await desk.stranger.get(path), 404) == "unknown"
    missing = f"/v1/works/{desk.deal.work_id}/grants/{ids.new(clock.now())}/odrl"
    assert code(await desk.licensor.get(missing), 404) == "unknown"


async def test_the_agreement_of_a_grant_shuts_out_what_the_algebra_shuts_out(desk: Desk) -> None:
    await desk.sign("licensor")
    await desk.sign("licensee")
    answer = await desk.licensor.get(f"{desk.path}/odrl")
    ours = reading.read(answer.text, form="json-ld")
    assert {rule.modality for rule in ours.rules} == {Modality.PERMISSION, Modality.OBLIGATION}
    rival = {**answer.json()["permission"][0], "assignee": "urn:uuid:" + str(ids.new(clock.now()))}
    other = {**answer.json(), "uid": "urn:x:other", "permission": [rival], "obligation": []}
    theirs = reading.read(json.dumps(other), form="json-ld")
    assert compare.compare(ours, theirs).verdict is Verdict.CONFLICT


async def test_a_grant_given_back_permits_nothing(desk: Desk, context: Context) -> None:
    listed = await desk.licensor.get(f"/v1/works/{desk.deal.work_id}/grants")
    (grant,) = listed.json()["items"]
    now = clock.now()
    async with context.db.transaction() as session:
        await titles.release(session, desk.deal.work_id, source=str(desk.deal.listing_id), now=now)
    path = f"/v1/works/{desk.deal.work_id}/grants/{grant['id']}/odrl"
    assert code(await desk.licensor.get(path), 410) == "grant-is-over"


@pytest.mark.parametrize("verdict", PAIR)
async def test_two_policies_are_compared(context: Context, verdict: str) -> None:
    name, _ = PAIR[verdict]
    async with signed_client(context, role="broadcaster") as (client, _party):
        answer = await client.post(
            "/v1/avails/compare", json=asked(text(name, "a"), text(name, "b"))
        )
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["verdict"] == verdict
    assert found["reasons"][0]["axes"]


async def test_our_own_exports_can_be_compared(context: Context) -> None:
    mine, theirs = document(wire(), licensee=2), document(wire(territories=["JP"]), licensee=3)
    body = asked(json.dumps(mine), json.dumps(theirs), "json-ld")
    async with signed_client(context, role="holder") as (client, _party):
        answer = await client.post("/v1/avails/compare", json=body)
    assert answer.json()["verdict"] == "compatible"
    assert answer.json()["reasons"][0]["axes"][0]["axis"] == "spatial"


async def test_what_is_no_policy_is_refused(context: Context) -> None:
    good = text(PAIR["conflict"][0], "a")
    async with signed_client(context, role="holder") as (client, _party):
        for body, wanted in (
            (asked(good, "nonsense"), "bad-policy"),
            (asked(good, good, "n-quads"), "invalid-content"),
            ({"first": {"format": "turtle", "text": good}}, "invalid-content"),
        ):
            assert code(await client.post("/v1/avails/compare", json=body), 422) == wanted


@pytest.mark.parametrize("verdict", PAIR)
def test_the_command_says_the_verdict_and_exits_with_it(verdict: str) -> None:
    name, status = PAIR[verdict]
    files = [str(PAIRS / f"{name}_{letter}.ttl") for letter in "ab"]
    told = CliRunner().invoke(avails_cli.app, ["compare", *files])
    assert told.exit_code == status
    assert told.stdout.splitlines()[0] == verdict.capitalize()
    as_json = CliRunner().invoke(avails_cli.app, ["compare", "--json", *files])
    assert as_json.exit_code == status
    assert json.loads(as_json.stdout)["verdict"] == verdict


def test_a_file_of_another_sort_is_wrong_usage() -> None:
    told = CliRunner().invoke(avails_cli.app, ["compare", *[str(PAIRS / "README.md")] * 2])
    assert told.exit_code == 2
