"""Stripe: the one place that talks to it.

Every answer is one of three: made, rejected (this call made nothing), lost (nobody can tell).
"""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import httpx
import stripe

from settlement.clearing.rules import Entry
from settlement.outbound import rules as outbound
from settlement.outbound.rules import Answer, Lost, Made, Rejected
from settlement.payouts.rules import Link, SeenAccount
from settlement.stripe import rules
from settlement.stripe.rules import History, Listed
from settlement.sweeps.rules import SeenSweep

# The version that the pinned SDK's types describe; an account's default may be another.
API_VERSION = "2026-10-28.endive"
TIMEOUT_S = 10.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PAGE = 100
# Errors about this very request: repeating it unchanged cannot help.
FINAL = (stripe.InvalidRequestError, stripe.CardError)
UNEXPECTED_STATE = "payment_intent_unexpected_state"  # of a step that the payment does not allow
# Errors that say nothing was done, but may pass: too fast, or a key that an operator has to mend.
PASSING = (stripe.RateLimitError, stripe.AuthenticationError, stripe.PermissionError)
_T = TypeVar("_T")


class AnswerLost(Exception):
    """A look-up brought no answer; it can be repeated at any time."""


class Gateway(Protocol):
    """What settlement asks of a payment provider."""

    async def create(self, op: str, params: Mapping[str, Any], *, idem_key: str) -> Answer:
        """Carry out an instruction; never raises for what the provider or the network does."""
        ...

    async def find(self, op: str, params: Mapping[str, Any], *, intent_id: str) -> str | None:
        """Return the id of what an instruction made: the object that carries the intent's id.

        Raises:
            AnswerLost: nobody answered.
        """
        ...

    async def see_payment(self, provider_id: str) -> History | None:
        """Return how a payment stands at the provider now, with all that came of it.

        Raises:
            AnswerLost: nobody answered.
        """
        ...

    async def see_payout(self, provider_id: str) -> SeenSweep | None:
        """Return how a payout of the platform stands now; None when there is none.

        Raises:
            AnswerLost: nobody answered.
        """
        ...

    async def see_account(self, provider_id: str) -> SeenAccount | None:
        """Return how a payee's account stands now; None when there is none.

        Raises:
            AnswerLost: nobody answered.
        """
        ...

    async def link_account(self, provider_id: str, *, return_url: str) -> Link:
        """Return a fresh link to the page on which a payee's account is onboarded.

        Raises:
            AnswerLost: nobody answered, or no link was made.
        """
        ...

    async def returns(
        self, *, refunds_from: datetime | None, disputes_from: datetime | None
    ) -> Sequence[Listed]:
        """Return the refunds and disputes made since then, whoever made them.

        Raises:
            AnswerLost: nobody answered.
        """
        ...

    async def movements(self, since: datetime | None) -> Sequence[Entry]:
        """Return how the balance moved since then; None: from the beginning.

        Raises:
            AnswerLost: nobody answered.
        """
        ...

    async def balances(self) -> Mapping[str, int]:
        """Return what the provider holds of ours, in minor units by currency.

        Raises:
            AnswerLost: nobody answered.
        """
        ...


class StripeGateway:
    """The real one, over the asynchronous client of the SDK."""

    def __init__(self, client: stripe.StripeClient, http: stripe.HTTPClient) -> None:
        """Take a client and the HTTP client that it uses, to be closed with this gateway."""
        self._client, self._http = client, http

    async def create(self, op: str, params: Mapping[str, Any], *, idem_key: str) -> Answer:
        """Carry out an instruction."""
        options: stripe.RequestOptions = {"idempotency_key": idem_key}
        try:
            return await self._create(op, params, options)
        except FINAL as error:
            return Rejected(_fault(error), final=True)
        except PASSING as error:
            return Rejected(_fault(error), final=False)
        except stripe.StripeError as error:
            return Lost(_fault(error))

    async def _create(
        self, op: str, params: Mapping[str, Any], options: stripe.RequestOptions
    ) -> Answer:
        v1, given = self._client.v1, cast(Any, dict(params))
        if op in outbound.STEPS:
            return await self._step(op, given, options)
        if op in (outbound.CREATE_PAYMENT, outbound.HOLD_PAYMENT):
            intent = await v1.payment_intents.create_async(given, options)
            return Made(intent.id, intent.client_secret)
        if op == outbound.CREATE_ACCOUNT:
            return Made((await v1.accounts.create_async(given, options)).id)
        if op == outbound.CREATE_TRANSFER:
            return Made((await v1.transfers.create_async(given, options)).id)
        if op == outbound.CREATE_REFUND:
            return Made((await v1.refunds.create_async(given, options)).id)
        if op == outbound.REVERSE_TRANSFER:
            transfer = given.pop("transfer")
            return Made((await v1.transfers.reversals.create_async(transfer, given, options)).id)
        if op == outbound.CREATE_PAYOUT:
            return Made((await v1.payouts.create_async(given, options)).id)
        raise ValueError(f"no such instruction: {op}")

    async def _step(self, op: str, given: dict[str, Any], options: stripe.RequestOptions) -> Answer:
        """Take a payment one step further; a no tells how the payment stands, and if it is over."""
        payments, intent_id = self._client.v1.payment_intents, str(given.pop("payment_intent"))
        try:
            if op == outbound.CONFIRM_PAYMENT:
                await payments.confirm_async(intent_id, cast(Any, given), options)
            elif op == outbound.CAPTURE_PAYMENT:
                await payments.capture_async(intent_id, cast(Any, given), options)
            else:
                await payments.cancel_async(intent_id, cast(Any, given), options)
        except stripe.CardError as error:
            return Rejected(_fault(error), final=True, is_over=True)
        except stripe.InvalidRequestError as error:
            status = (await payments.retrieve_async(intent_id)).status
            if rules.is_after(op, status):
                return Made(rules.step_id(intent_id, op))
            # A method that the provider does not know confirms nothing, however often it is sent.
            is_useless = op == outbound.CONFIRM_PAYMENT and error.code != UNEXPECTED_STATE
            is_over = is_useless or rules.is_past(op, status)
            return Rejected(_fault(error), final=True, is_over=is_over)
        return Made(rules.step_id(intent_id, op))

    async def find(self, op: str, params: Mapping[str, Any], *, intent_id: str) -> str | None:
        """Look through what was made of a kind; a list is current, a search may not be."""
        try:
            if op in outbound.STEPS:
                payment = str(params["payment_intent"])
                seen = await self._client.v1.payment_intents.retrieve_async(payment)
                return rules.step_id(payment, op) if rules.is_after(op, seen.status) else None
            found = await self._list(op, params)
            async for made in found.auto_paging_iter():
                if (made.to_dict().get("metadata") or {}).get("intent_id") == intent_id:
                    return str(made.id)
        except stripe.StripeError as error:
            raise AnswerLost(_fault(error)) from error
        return None

    async def _list(self, op: str, params: Mapping[str, Any]) -> Any:
        v1 = self._client.v1
        if op == outbound.CREATE_TRANSFER:
            group = params["transfer_group"]
            return await v1.transfers.list_async({"transfer_group": group, "limit": PAGE})
        if op == outbound.CREATE_REFUND:
            intent = params["payment_intent"]
            return await v1.refunds.list_async({"payment_intent": intent, "limit": PAGE})
        if op == outbound.REVERSE_TRANSFER:
            return await v1.transfers.reversals.list_async(params["transfer"], {"limit": PAGE})
        if op == outbound.CREATE_PAYOUT:
            return await v1.payouts.list_async({"limit": PAGE})
        raise ValueError(f"nothing is looked up for {op}")

    async def see_payment(self, provider_id: str) -> History | None:
        """Ask for a PaymentIntent, its refunds and its disputes as they stand now."""
        return await _found(self._see(provider_id))

    async def see_payout(self, provider_id: str) -> SeenSweep | None:
        """Ask for a Payout as it stands now."""
        payout = await _found(self._client.v1.payouts.retrieve_async(provider_id))
        return None if payout is None else rules.seen_sweep(payout.to_dict())

    async def see_account(self, provider_id: str) -> SeenAccount | None:
        """Ask for an Account as it stands now."""
        account = await _found(self._client.v1.accounts.retrieve_async(provider_id))
        return None if account is None else rules.seen_account(account.to_dict())

    async def link_account(self, provider_id: str, *, return_url: str) -> Link:
        """Make an AccountLink; one that is used up leads back to where another can be asked for."""
        try:
            made = await self._client.v1.account_links.create_async(
                {
                    "account": provider_id,
                    "type": "account_onboarding",
                    "refresh_url": return_url,
                    "return_url": return_url,
                }
            )
        except stripe.StripeError as error:
            raise AnswerLost(_fault(error)) from error
        return rules.seen_link(made.to_dict())

    async def _see(self, provider_id: str) -> History:
        v1 = self._client.v1
        intent = await v1.payment_intents.retrieve_async(
            provider_id, {"expand": ["latest_charge.balance_transaction"]}
        )
        seen, hold = rules.seen(intent.to_dict()), rules.seen_hold(intent.to_dict())
        if seen.received is None:
            return History(seen, hold=hold)
        refunds = await v1.refunds.list_async({"payment_intent": provider_id, "limit": PAGE})
        disputes = await v1.disputes.list_async({"payment_intent": provider_id, "limit": PAGE})
        return History(
            seen,
            [rules.seen_refund(one.to_dict()) async for one in refunds.auto_paging_iter()],
            [rules.seen_dispute(one.to_dict()) async for one in disputes.auto_paging_iter()],
            hold,
        )

    async def returns(
        self, *, refunds_from: datetime | None, disputes_from: datetime | None
    ) -> Sequence[Listed]:
        """List refunds and disputes; those of charges without a PaymentIntent are none of ours."""
        v1 = self._client.v1
        try:
            refunds = await v1.refunds.list_async(cast(Any, _since(refunds_from)))
            found = [
                Listed(str(one.payment_intent), refund=rules.seen_refund(one.to_dict()))
                async for one in refunds.auto_paging_iter()
                if one.payment_intent is not None
            ]
            disputes = await v1.disputes.list_async(cast(Any, _since(disputes_from)))
            return found + [
                Listed(str(one.payment_intent), dispute=rules.seen_dispute(one.to_dict()))
                async for one in disputes.auto_paging_iter()
                if one.payment_intent is not None
            ]
        except stripe.StripeError as error:
            raise AnswerLost(_fault(error)) from error

    async def movements(self, since: datetime | None) -> Sequence[Entry]:
        """List balance transactions with what each is of."""
        asked = cast(Any, {**_since(since), "expand": ["data.source"]})
        try:
            found = await self._client.v1.balance_transactions.list_async(asked)
            return [rules.entry(one.to_dict()) async for one in found.auto_paging_iter()]
        except stripe.StripeError as error:
            raise AnswerLost(_fault(error)) from error

    async def balances(self) -> Mapping[str, int]:
        """Ask for the balance: what is available, what is pending, what is held back."""
        try:
            return rules.balances((await self._client.v1.balance.retrieve_async()).to_dict())
        except stripe.StripeError as error:
            raise AnswerLost(_fault(error)) from error

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close_async()


def open_gateway(*, api_key: str, api_base: str, timeout_s: float = TIMEOUT_S) -> StripeGateway:
    """Open the gateway in the running event loop; nothing is sent until it is used.

    Args:
        api_key: the platform's secret key.
        api_base: the API's address, e.g. `https://api.stripe.com`.
        timeout_s: for connecting, and again for each wait for bytes.
    """
    stripe.enable_telemetry = False
    http = stripe.HTTPXClient(timeout=timeout_s)
    if urlsplit(api_base).hostname in LOOPBACK:
        _without_proxy(http)
    client = stripe.StripeClient(
        api_key,
        base_addresses={"api": api_base.rstrip("/")},
        http_client=http,
        max_network_retries=0,
        stripe_version=API_VERSION,
    )
    return StripeGateway(client, http)


async def _found(asked: Awaitable[_T]) -> _T | None:
    """Return what was asked for, or None when there is none.

    Raises:
        AnswerLost: nobody answered.
    """
    try:
        return await asked
    except stripe.InvalidRequestError as error:
        if error.http_status == 404:
            return None
        raise AnswerLost(_fault(error)) from error
    except stripe.StripeError as error:
        raise AnswerLost(_fault(error)) from error


def _without_proxy(http: stripe.HTTPXClient) -> None:
    """Keep the environment's proxies away from this machine's own addresses.

    The SDK has no option for it, and httpx sends even loopback requests through HTTP_PROXY.
    """
    http._client_async = httpx.AsyncClient(trust_env=False)


def _since(instant: datetime | None) -> dict[str, Any]:
    page: dict[str, Any] = {"limit": PAGE}
    return page if instant is None else {**page, "created": {"gte": int(instant.timestamp())}}


def _fault(error: stripe.StripeError) -> str:
    parts = (type(error).__name__, str(error.http_status or ""), error.code or "", str(error))
    return " ".join(part for part in parts if part)[:500]
