"""The stand-in's accounts of version 2, account links and onboarding, judged by the real SDK."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
import stripe
from stripe.events import (
    V2CoreAccountIncludingConfigurationRecipientCapabilityStatusUpdatedEvent as StatusUpdated,
)

from tests.exchange.stripe_standin_factory import TRANSFERS, books, control, look, paid, refused
from tests.exchange.test_stripe_standin import fields_of
from tests.settlement import standin

ALL = ["configuration.recipient", "defaults", "identity", "requirements"]
RECIPIENT: Any = {
    "configuration": {
        "recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}}
    },
    "contact_email": "payee@example.com",
    "display_name": "示范影业",
    "identity": {"country": "hk", "entity_type": "company"},
    "metadata": {"party": "1"},
    "include": ALL,
}
REFRESH, BACK = "https://exchange.example/again", "https://exchange.example/back"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with standin.running_standin(tmp_path_factory.mktemp("onboarding")) as running:
        yield running


@pytest.fixture(scope="module")
def waiting_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stand-in whose accounts of the first version wait for their onboarding too."""
    folder = tmp_path_factory.mktemp("waiting")
    with standin.running_standin(folder, extra=("--onboards",)) as running:
        yield running


@pytest.fixture
def api(url: str) -> stripe.StripeClient:
    return standin.client(url)


async def recipient(api: stripe.StripeClient, **changes: Any) -> Any:
    return await api.v2.core.accounts.create_async({**RECIPIENT, **changes})


async def seen(api: stripe.StripeClient, account: str) -> Any:
    include: Any = {"include": ["configuration.recipient", "requirements"]}
    return await api.v2.core.accounts.retrieve_async(account, include)


def capability(account: Any) -> Any:
    return account.configuration.recipient.capabilities.stripe_balance.stripe_transfers


async def transferred(api: stripe.StripeClient, account: str) -> Any:
    charge = (await paid(api)).latest_charge
    return await api.v1.transfers.create_async(
        {"amount": 5, "currency": "cny", "destination": account, "source_transaction": charge}
    )


async def link(api: stripe.StripeClient, account: str) -> Any:
    return await api.v1.account_links.create_async(
        {"account": account, "type": "account_onboarding", "refresh_url": REFRESH,
         "return_url": BACK}
    )  # fmt: skip


async def told(api: stripe.StripeClient, account: str) -> list[str]:
    listed = await api.v2.core.events.list_async({"object_id": account})
    return [one.type for one in listed.data[::-1]]


async def test_an_account_of_version_2_begins_restricted_and_says_what_it_waits_for(
    api: stripe.StripeClient,
) -> None:
    account = await recipient(api)
    assert set(account.to_dict()) == fields_of(type(account))
    assert isinstance(account, stripe.v2.core.Account)
    assert (capability(account).status, capability(account).status_details[0].resolution) == (
        "restricted", "provide_info",
    )  # fmt: skip
    assert [one.awaiting_action_from for one in account.requirements.entries] == ["user"] * 3
    assert account.requirements.summary.minimum_deadline.status == "currently_due"
    assert (account.identity.country, account.applied_configurations) == ("HK", ["recipient"])
    assert datetime.fromisoformat(account.created).tzinfo is not None
    bare = await api.v2.core.accounts.retrieve_async(account.id)
    assert (bare.configuration, bare.requirements, bare.identity) == (None, None, None)
    old = await api.v1.accounts.retrieve_async(account.id)
    assert set(old.to_dict()) == fields_of(type(old))
    assert (old.capabilities.transfers, old.payouts_enabled) == ("inactive", False)


async def test_transfers_go_to_a_capability_that_is_active_alone(
    url: str, api: stripe.StripeClient
) -> None:
    account = (await recipient(api)).id
    for status, who in (("pending", "stripe"), ("restricted", "user")):
        control(url, f"/_accounts/{account}", {"status": status})
        now = await seen(api, account)
        assert capability(now).status == status
        assert now.requirements.entries[0].awaiting_action_from == who
        error = await refused(transferred(api, account))
        assert (error.http_status, error.code) == (400, "insufficient_capabilities_for_transfer")
    assert account not in books(url)["accounts"]
    control(url, f"/_accounts/{account}", {"status": "active"})
    now = await seen(api, account)
    assert (capability(now).status, now.requirements.entries) == ("active", [])
    assert (await transferred(api, account)).destination == account
    assert books(url)["accounts"][account] == {"cny": 5}
    control(url, f"/_accounts/{account}", {"status": "restricted"})
    assert (await refused(transferred(api, account))).http_status == 400


async def test_an_account_that_asks_for_no_capability_receives_nothing(
    url: str, api: stripe.StripeClient
) -> None:
    account = await recipient(api, configuration={})
    assert (account.configuration.recipient, account.requirements.entries) == (None, [])
    control(url, f"/_accounts/{account.id}", {"status": "active"})
    assert (await refused(transferred(api, account.id))).http_status == 400


async def test_a_capability_that_moves_is_told_in_both_versions(
    url: str, api: stripe.StripeClient
) -> None:
    account = (await recipient(api)).id
    control(url, f"/_accounts/{account}", {"status": "active"})
    assert await told(api, account) == [
        "v2.core.account.created",
        "v2.core.account[requirements].updated",
        "v2.core.account[configuration.recipient].capability_status_updated",
    ]
    listed = await api.v2.core.events.list_async({"object_id": account, "limit": 10})
    event = await api.v2.core.events.retrieve_async(listed.data[0].id)
    assert isinstance(event, StatusUpdated)
    assert event.data.updated_capability == "stripe_balance.stripe_transfers"
    assert event.related_object.id == account
    old = await api.v1.events.list_async({"type": "account.updated", "limit": 1})
    assert old.data[0].data.object["id"] == account
    assert old.data[0].data.object["capabilities"]["transfers"] == "active"


async def test_a_link_is_opened_once_and_leads_back(url: str, api: stripe.StripeClient) -> None:
    account = (await recipient(api)).id
    made = await link(api, account)
    assert set(made.to_dict()) == fields_of(type(made))
    assert made.expires_at == made.created + 300
    async with httpx.AsyncClient(trust_env=False) as browser:
        page = await browser.get(made.url)
        assert (page.status_code, account in page.text, "not Stripe" in page.text) == (
            200, True, True,
        )  # fmt: skip
        again = await browser.get(made.url)
        assert (again.status_code, again.headers["location"]) == (303, REFRESH)
        assert capability(await seen(api, account)).status == "restricted"
        done = await browser.post(made.url, data={"answer": "complete"})
        assert (done.status_code, done.headers["location"]) == (303, BACK)
        assert capability(await seen(api, account)).status == "active"
        control(url, f"/_accounts/{account}", {"status": "restricted"})
        late = await browser.post(made.url, data={"answer": "complete"})
        assert late.headers["location"] == REFRESH
        assert capability(await seen(api, account)).status == "restricted"
        assert (await browser.get(made.url[:-4])).status_code == 404


@pytest.mark.parametrize(("answer", "status"), [("review", "pending"), ("later", "restricted")])
async def test_who_comes_back_may_not_be_done(
    api: stripe.StripeClient, answer: str, status: str
) -> None:
    account = (await recipient(api)).id
    made = await link(api, account)
    async with httpx.AsyncClient(trust_env=False) as browser:
        unopened = await browser.post(made.url, data={"answer": "complete"})
        assert unopened.headers["location"] == REFRESH
        await browser.get(made.url)
        done = await browser.post(made.url, data={"answer": answer})
        assert done.headers["location"] == BACK
    assert capability(await seen(api, account)).status == status
    assert (await told(api, account))[-1] == "v2.core.account_link.returned"


async def test_a_link_of_version_2_runs_out(url: str, api: stripe.StripeClient) -> None:
    account = (await recipient(api)).id
    made = await api.v2.core.account_links.create_async(
        {
            "account": account,
            "use_case": {
                "type": "account_onboarding",
                "account_onboarding": {"refresh_url": REFRESH},
            },
        }
    )
    assert set(made.to_dict()) == fields_of(type(made))
    assert (made.account, made.use_case.account_onboarding.refresh_url) == (account, REFRESH)
    control(url, "/_clock", {"advance_s": 300})
    async with httpx.AsyncClient(trust_env=False) as browser:
        late = await browser.get(made.url)
    assert (late.status_code, late.headers["location"]) == (303, REFRESH)


async def test_links_that_lead_nowhere_are_refused(api: stripe.StripeClient) -> None:
    account = (await recipient(api)).id
    good: Any = {"account": account, "type": "account_onboarding", "refresh_url": REFRESH,
                 "return_url": BACK}  # fmt: skip
    for changes, param in (
        ({"account": "acct_none"}, "account"),
        ({"return_url": "javascript:alert(1)"}, "return_url"),
        ({"refresh_url": "nowhere"}, "refresh_url"),
        ({"type": "account_sale"}, "type"),
    ):
        error = await refused(api.v1.account_links.create_async({**good, **changes}))
        assert (error.http_status, error.json_body["error"]["param"]) == (400, param)
    case: Any = {"account": account, "use_case": {"type": "account_onboarding"}}
    error = await refused(api.v2.core.account_links.create_async(case))
    assert error.json_body["error"]["param"] == "use_case[account_onboarding]"


async def test_what_version_2_cannot_read_or_do_is_refused(
    url: str, api: stripe.StripeClient
) -> None:
    asked = {"stripe_balance": {"stripe_transfers": {"requested": "yes"}}}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"configuration": {"merchant": {}}}, "standin_unsupported"),
        ({"colour": "red"}, "parameter_unknown"),
        ({"identity": {"country": "nowhere"}}, "country_unsupported"),
        ({"configuration": {"recipient": {"capabilities": asked}}}, ""),
    ]
    for changes, code in wrong:
        error = await refused(recipient(api, **changes))
        assert (error.http_status, error.code or "") == (400, code)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as plain:
        headers = {"Authorization": f"Bearer {standin.API_KEY}"}
        for body in (b"a=1", b"[]", b"[" * 100_000):
            answer = await plain.post("/v2/core/accounts", content=body, headers=headers)
            assert (answer.status_code, "error" in answer.json()) == (400, True)
    error = await refused(api.v2.core.accounts.retrieve_async("acct_none"))
    assert error.http_status == 404


async def test_version_2_keeps_successes_and_no_errors_under_a_key(
    api: stripe.StripeClient,
) -> None:
    options: Any = {"idempotency_key": "v2-account-1"}
    first = await api.v2.core.accounts.create_async(RECIPIENT, options)
    again = await api.v2.core.accounts.create_async(RECIPIENT, options)
    assert first.id == again.id
    error = await refused(
        api.v2.core.accounts.create_async({**RECIPIENT, "display_name": "other"}, options)
    )
    assert isinstance(error, stripe.IdempotencyError)
    late: Any = {"idempotency_key": "v2-account-2"}
    nobody = {**RECIPIENT, "identity": {"country": "nowhere"}}
    assert (await refused(api.v2.core.accounts.create_async(nobody, late))).http_status == 400
    assert (await api.v2.core.accounts.create_async(RECIPIENT, late)).id != first.id


async def test_accounts_of_version_1_wait_too_where_the_stand_in_is_told_so(
    waiting_url: str,
) -> None:
    api = standin.client(waiting_url)
    params: Any = TRANSFERS
    account = await api.v1.accounts.create_async(params)
    assert (account.capabilities.transfers, account.details_submitted) == ("inactive", False)
    assert account.requirements.disabled_reason == "requirements.past_due"
    assert len(account.requirements.currently_due) == 3
    assert (await refused(transferred(api, account.id))).http_status == 400
    made = await link(api, account.id)
    async with httpx.AsyncClient(trust_env=False) as browser:
        await browser.get(made.url)
        await browser.post(made.url, data={"answer": "review"})
    now = await api.v1.accounts.retrieve_async(account.id)
    assert (now.capabilities.transfers, now.details_submitted) == ("pending", True)
    control(waiting_url, f"/_accounts/{account.id}", {"status": "active"})
    now = await api.v1.accounts.retrieve_async(account.id)
    assert (now.capabilities.transfers, now.requirements.currently_due) == ("active", [])
    assert (await transferred(api, account.id)).amount == 5


def test_the_stand_in_says_how_accounts_are_onboarded(url: str) -> None:
    said = look(url, "/_standin")
    assert any("Onboarding is a page of the stand-in" in one for one in said["differs"])
    assert "POST /v2/core/account_links" in said["operations"]
