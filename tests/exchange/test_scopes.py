"""Who may do what: each operation of the API asks for one scope, and for roles where it matters."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from contracts import ids
from exchange.api import deps
from exchange.app import create_app
from exchange.context import Context
from exchange.identity.rules import STAFF, Caller, Role, ScopeMissing
from tests.conftest import NOW

ANYBODY: frozenset[Role] = frozenset()
HOLDER, BROADCASTER = frozenset({Role.HOLDER}), frozenset({Role.BROADCASTER})
TRADERS = HOLDER | BROADCASTER
NEEDS: dict[str, tuple[str, frozenset[Role]]] = {
    "allow_key_reset": ("list", frozenset({Role.OPERATOR})),
    "approve_payout": ("money", frozenset({Role.APPROVER})),
    "append_to_upload": ("list", HOLDER),
    "cancel_upload": ("list", HOLDER),
    "compare_policies": ("read", ANYBODY),
    "check_availability": ("read", ANYBODY),
    "consent_to_share": ("list", HOLDER),
    "create_upload": ("list", HOLDER),
    "declare_document": ("deal", TRADERS),
    "declare_shares": ("list", HOLDER),
    "download_document": ("read", ANYBODY),
    "draft_listing": ("list", HOLDER),
    "export_avails_workbook": ("read", ANYBODY),
    "export_avails_xml": ("read", ANYBODY),
    "file_document": ("deal", TRADERS),
    "get_avails_import": ("read", ANYBODY),
    "get_availability": ("read", ANYBODY),
    "get_availability_calendar": ("read", ANYBODY),
    "get_contract": ("read", ANYBODY),
    "get_deal": ("read", ANYBODY),
    "get_deal_odrl": ("read", ANYBODY),
    "get_deal_terms": ("read", ANYBODY),
    "get_deal_life": ("read", ANYBODY),
    "decline_deal": ("deal", TRADERS),
    "rescind_deal": ("deal", frozenset({Role.OPERATOR})),
    "give_notice": ("deal", TRADERS),
    "answer_notice": ("deal", TRADERS),
    "demand_payment": ("deal", TRADERS),
    "propose_amendment": ("deal", TRADERS),
    "draft_assignment": ("deal", TRADERS),
    "sign_assignment": ("deal", TRADERS),
    "get_document": ("read", ANYBODY),
    "get_evidence": ("read", ANYBODY),
    "get_grant_odrl": ("read", ANYBODY),
    "get_invoice": ("read", ANYBODY),
    "get_master": ("read", ANYBODY),
    "follow_account": ("read", ANYBODY),
    "follow_auction": ("read", ANYBODY),
    "follow_feed": ("read", ANYBODY),
    "follow_progress": ("read", ANYBODY),
    "get_master_picture": ("read", ANYBODY),
    "get_proxy": ("read", ANYBODY),
    "get_prepared_contract": ("read", ANYBODY),
    "get_me": ("read", ANYBODY),
    "get_party": ("read", ANYBODY),
    "get_payment": ("read", ANYBODY),
    "get_payout": ("read", STAFF),
    "get_payout_account": ("read", ANYBODY),
    "get_receipt": ("read", ANYBODY),
    "get_settlement": ("read", ANYBODY),
    "get_shares": ("read", ANYBODY),
    "get_trial_balance": ("read", STAFF),
    "get_account_statement": ("read", ANYBODY),
    "get_party_statement": ("read", ANYBODY),
    "get_upload_offset": ("list", HOLDER),
    "get_work": ("read", ANYBODY),
    "give_screener": ("list", HOLDER),
    "import_avails": ("list", HOLDER),
    "lift_hold": ("deal", TRADERS),
    "list_api_keys": ("read", ANYBODY),
    "list_deals": ("read", ANYBODY),
    "list_documents": ("read", ANYBODY),
    "list_grants": ("read", ANYBODY),
    "list_invoices": ("read", ANYBODY),
    "list_masters": ("read", ANYBODY),
    "list_parties": ("read", STAFF),
    "list_payouts": ("read", STAFF),
    "list_screeners": ("read", ANYBODY),
    "list_settlements": ("read", STAFF),
    "list_work_children": ("read", ANYBODY),
    "list_works": ("read", ANYBODY),
    "match_delivery": ("read", ANYBODY),
    "my_listings": ("read", ANYBODY),
    "open_payout_account": ("money", HOLDER),
    "list_signing_keys": ("read", ANYBODY),
    "open_signing_session": ("deal", TRADERS),
    "pay_invoice": ("money", BROADCASTER),
    "place_bid": ("bid", BROADCASTER),
    "place_hold": ("deal", TRADERS),
    "export_settlements": ("read", STAFF),
    "export_payouts": ("read", STAFF),
    "export_invoices": ("read", STAFF),
    "export_journals": ("read", STAFF),
    "export_deposits": ("read", STAFF),
    "export_refunds": ("read", STAFF),
    "export_disputes": ("read", STAFF),
    "export_bank_lines": ("read", STAFF),
    "export_suspense": ("read", STAFF),
    "export_account_statement": ("read", ANYBODY),
    "get_settlement_timeline": ("read", STAFF),
    "prove_identity": ("money", ANYBODY),
    "prepare_payout": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "prepare_payout_batch": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "approve_payout_batch": ("money", frozenset({Role.APPROVER})),
    "refuse_payout_batch": ("money", frozenset({Role.APPROVER})),
    "list_payout_batches": ("read", STAFF),
    "get_payout_batch": ("read", STAFF),
    "prepare_ledger_order": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "approve_ledger_order": ("money", frozenset({Role.APPROVER})),
    "refuse_ledger_order": ("money", frozenset({Role.APPROVER})),
    "list_ledger_orders": ("read", STAFF),
    "get_ledger_order": ("read", STAFF),
    "list_closes": ("read", STAFF),
    "hold_money": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "release_money": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "list_money_holds": ("read", STAFF),
    "keep_quote": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "get_quote": ("read", STAFF),
    "publish_listing": ("list", HOLDER),
    "record_grant": ("deal", TRADERS),
    "revoke_screener": ("list", HOLDER),
    "report_usage": ("deal", BROADCASTER),
    "refuse_payout": ("money", frozenset({Role.APPROVER})),
    "declare_asset": ("list", HOLDER),
    "declare_package": ("list", HOLDER),
    "get_asset": ("read", ANYBODY),
    "get_package": ("read", ANYBODY),
    "list_assets": ("read", ANYBODY),
    "list_packages": ("read", ANYBODY),
    "refer_to_master": ("list", HOLDER),
    "register_signing_key": ("deal", TRADERS),
    "register_delivery_key": ("deal", TRADERS),
    "revoke_delivery_key": ("deal", TRADERS),
    "list_delivery_keys": ("read", ANYBODY),
    "list_deliveries": ("read", ANYBODY),
    "offer_delivery": ("deal", TRADERS),
    "get_released_keys": ("deal", TRADERS),
    "release_key": ("deal", TRADERS),
    "accept_delivery": ("deal", TRADERS),
    "dispute_delivery": ("deal", TRADERS),
    "register_work": ("list", HOLDER),
    "revert_grant": ("deal", frozenset({Role.OPERATOR})),
    "revoke_signing_key": ("deal", TRADERS),
    "settle_work_dates": ("list", HOLDER),
    "sign_deal": ("deal", TRADERS),
    "verify_party": ("list", frozenset({Role.OPERATOR})),
    "void_deal": ("deal", frozenset({Role.OPERATOR})),
    "agree_run_rule": ("deal", HOLDER | {Role.OPERATOR}),
    "cancel_telecast": ("deal", TRADERS | {Role.OPERATOR}),
    "declare_encumbrance": ("list", HOLDER | {Role.OPERATOR}),
    "get_encumbrance": ("read", ANYBODY),
    "get_royalties": ("read", ANYBODY),
    "prepare_fees": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "approve_fees": ("money", frozenset({Role.APPROVER})),
    "refuse_fees": ("money", frozenset({Role.APPROVER})),
    "list_fee_announcements": ("read", STAFF),
    "get_fee_announcement": ("read", STAFF),
    "print_royalty_statement": ("read", ANYBODY),
    "export_royalty_statements": ("read", ANYBODY),
    "get_runs": ("read", ANYBODY),
    "get_runs_statement": ("read", ANYBODY),
    "give_encumbrance_consent": ("deal", TRADERS | {Role.OPERATOR}),
    "lift_encumbrance": ("deal", TRADERS | {Role.OPERATOR}),
    "list_encumbrance_consents": ("read", ANYBODY),
    "list_encumbrances": ("read", ANYBODY),
    "list_telecasts": ("read", ANYBODY),
    "list_work_events": ("read", ANYBODY),
    "log_telecast": ("deal", TRADERS | {Role.OPERATOR}),
    "download_conformance": ("read", ANYBODY),
    "get_conformance": ("read", ANYBODY),
    "get_declared": ("read", ANYBODY),
    "get_measures": ("read", ANYBODY),
    "list_profiles": ("read", ANYBODY),
    "print_conformance": ("read", ANYBODY),
    "put_declared": ("list", HOLDER),
    "record_conformance": ("list", HOLDER),
    "record_work_event": ("list", HOLDER | {Role.OPERATOR}),
    "get_recognition": ("read", ANYBODY),
    "search_again": ("list", HOLDER | {Role.OPERATOR}),
    "make_declaration": ("list", HOLDER),
    "get_declaration": ("read", ANYBODY),
    "object_to_declaration": ("list", HOLDER),
    "decide_declaration": ("list", frozenset({Role.OPERATOR})),
    "list_cases": ("read", STAFF),
    "get_thumb": ("read", ANYBODY),
    "decide_case": ("list", frozenset({Role.OPERATOR})),
    "change_disclosure": ("list", frozenset({Role.OPERATOR})),
    "decide_incident": ("read", frozenset({Role.OPERATOR, Role.APPROVER})),
    "declare_ownership": ("list", HOLDER | {Role.OPERATOR}),
    "file_disclosure": ("list", HOLDER),
    "get_ownership": ("read", ANYBODY),
    "get_screens": ("read", STAFF),
    "list_incidents": ("read", STAFF),
    "report_incident": ("list", frozenset({Role.OPERATOR})),
    "review_disclosure": ("list", frozenset({Role.OPERATOR})),
    "run_screens": ("list", frozenset({Role.OPERATOR})),
    "acknowledge_share": ("read", frozenset({Role.HOLDER, Role.OPERATOR, Role.AUDITOR})),
    "get_opening_key": ("read", ANYBODY),
    "register_opening_key": ("list", HOLDER),
    "release_share": ("read", frozenset({Role.HOLDER, Role.OPERATOR, Role.AUDITOR})),
    "reveal_bid": ("bid", BROADCASTER),
    "apply_for_admission": ("bid", BROADCASTER),
    "get_admission": ("read", ANYBODY),
    "list_admissions": ("read", STAFF),
    "decide_admission": ("deal", frozenset({Role.OPERATOR})),
    "get_limits": ("read", ANYBODY),
    "set_credit_line": ("money", frozenset({Role.OPERATOR})),
    "block_party": ("deal", frozenset({Role.OPERATOR})),
    "lift_block": ("deal", frozenset({Role.OPERATOR})),
    "declare_relation": ("deal", frozenset({Role.OPERATOR})),
    "end_relation": ("deal", frozenset({Role.OPERATOR})),
    "list_deposits": ("read", ANYBODY),
    "get_deposit": ("read", ANYBODY),
    "get_deposit_agreement": ("read", BROADCASTER),
    "print_deposit_agreement": ("read", BROADCASTER),
    "draw_up_deposit_agreement": ("deal", BROADCASTER),
    "list_agreements": ("read", ANYBODY),
    "get_agreement": ("read", ANYBODY),
    "get_agreement_terms": ("read", ANYBODY),
    "get_agreement_file": ("read", ANYBODY),
    "get_agreement_evidence": ("read", ANYBODY),
    "open_agreement_session": ("deal", BROADCASTER),
    "get_prepared_agreement": ("read", ANYBODY),
    "sign_agreement": ("deal", BROADCASTER),
    "print_invoice": ("read", ANYBODY),
    "prepare_red_letter": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "approve_red_letter": ("money", frozenset({Role.APPROVER})),
    "refuse_red_letter": ("money", frozenset({Role.APPROVER})),
    "list_red_letters": ("read", ANYBODY),
    "get_red_letter": ("read", ANYBODY),
    "print_red_letter": ("read", ANYBODY),
    "export_withheld": ("read", STAFF),
    "record_tax_residence": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "approve_tax_residence": ("money", frozenset({Role.APPROVER})),
    "refuse_tax_residence": ("money", frozenset({Role.APPROVER})),
    "list_tax_residences": ("read", ANYBODY),
    "get_tax_residence": ("read", ANYBODY),
    "list_withheld_taxes": ("read", ANYBODY),
    "get_withheld_tax": ("read", ANYBODY),
    "print_withholding_certificate": ("read", ANYBODY),
    "get_settlement_withholding": ("read", ANYBODY),
    "record_tax_authority": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "list_tax_authorities": ("read", STAFF),
    "list_withholding_dues": ("read", STAFF),
    "prepare_remittance": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "approve_remittance": ("money", frozenset({Role.APPROVER})),
    "refuse_remittance": ("money", frozenset({Role.APPROVER})),
    "record_tax_receipt": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "list_remittances": ("read", STAFF),
    "get_remittance": ("read", STAFF),
    "say_fapiao_details": ("money", TRADERS | {Role.OPERATOR, Role.APPROVER}),
    "get_fapiao_details": ("read", ANYBODY),
    "ask_for_fapiao": ("money", TRADERS | {Role.OPERATOR, Role.APPROVER}),
    "ask_for_red_fapiao": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "confirm_red_fapiao": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "record_fapiao": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "refuse_fapiao": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "keep_fapiao_file": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "get_fapiao_file": ("read", ANYBODY),
    "export_fapiao_requests": ("read", STAFF),
    "list_fapiaos": ("read", ANYBODY),
    "get_fapiao": ("read", ANYBODY),
    "get_deposit_file": ("read", STAFF),
    "record_deposit": ("money", frozenset({Role.OPERATOR})),
    "prepare_deposit_movement": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "approve_deposit_movement": ("money", frozenset({Role.APPROVER})),
    "refuse_deposit_movement": ("money", frozenset({Role.APPROVER})),
    "record_deposit_return": ("money", frozenset({Role.OPERATOR})),
    "give_deposit_card": ("money", BROADCASTER),
    "get_deposit_card": ("read", ANYBODY),
    "offer_guarantee": ("money", BROADCASTER),
    "get_guarantee": ("read", ANYBODY),
    "get_guarantee_scan": ("read", ANYBODY),
    "accept_guarantee": ("money", frozenset({Role.APPROVER})),
    "refuse_guarantee": ("money", frozenset({Role.APPROVER})),
    "release_guarantee": ("money", frozenset({Role.OPERATOR})),
    "record_guarantee_payment": ("money", frozenset({Role.OPERATOR})),
    "accept_offer": ("deal", TRADERS),
    "answer_request": ("deal", HOLDER),
    "ask_for_proposals": ("deal", BROADCASTER),
    "close_to_offers": ("list", HOLDER),
    "decline_offer": ("deal", TRADERS),
    "get_offer": ("read", ANYBODY),
    "get_request": ("read", ANYBODY),
    "list_answers": ("read", ANYBODY),
    "list_offerables": ("read", ANYBODY),
    "list_offers": ("read", ANYBODY),
    "list_requests": ("read", ANYBODY),
    "make_offer": ("deal", TRADERS),
    "negotiate_answer": ("deal", BROADCASTER),
    "open_to_offers": ("list", HOLDER),
    "take_answer_back": ("deal", HOLDER),
    "withdraw_offer": ("deal", TRADERS),
    "withdraw_request": ("deal", BROADCASTER),
    "declare_bank_account": ("money", TRADERS),
    "withdraw_bank_account": ("money", TRADERS),
    "list_bank_accounts": ("read", ANYBODY),
    "list_waiting_bank_accounts": ("read", STAFF),
    "verify_bank_account": ("money", frozenset({Role.APPROVER})),
    "refuse_bank_account": ("money", frozenset({Role.APPROVER})),
    "follow_bank_account": ("money", frozenset({Role.APPROVER})),
    "list_positions": ("read", STAFF),
    "propose_collecting": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "list_collecting": ("read", STAFF),
    "approve_collecting": ("money", frozenset({Role.APPROVER})),
    "refuse_collecting": ("money", frozenset({Role.APPROVER})),
    "prepare_payment_file": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "list_payment_files": ("read", STAFF),
    "get_payment_file": ("read", STAFF),
    "give_payment_file": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "approve_payment_file": ("money", frozenset({Role.APPROVER})),
    "refuse_payment_file": ("money", frozenset({Role.APPROVER})),
    "import_statement": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "list_statements": ("read", STAFF),
    "list_suspense": ("read", STAFF),
    "propose_release": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "prepare_refund": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "approve_refund": ("money", frozenset({Role.APPROVER})),
    "refuse_refund": ("money", frozenset({Role.APPROVER})),
    "list_refunds": ("read", ANYBODY),
    "get_refund": ("read", ANYBODY),
    "prepare_sweep": ("money", frozenset({Role.OPERATOR, Role.APPROVER})),
    "approve_sweep": ("money", frozenset({Role.APPROVER})),
    "refuse_sweep": ("money", frozenset({Role.APPROVER})),
    "list_sweeps": ("read", STAFF),
    "get_sweep": ("read", STAFF),
    "list_provider_funds": ("read", STAFF),
    "list_disputes": ("read", ANYBODY),
    "get_dispute": ("read", ANYBODY),
    "list_file_reports": ("read", STAFF),
    "list_cutoffs": ("read", STAFF),
    "list_differences": ("read", STAFF),
    "list_releases": ("read", STAFF),
    "get_release": ("read", STAFF),
    "approve_release": ("money", frozenset({Role.APPROVER})),
    "refuse_release": ("money", frozenset({Role.APPROVER})),
}
# Places in a path that hold no id.
TYPED = {"form": "pdf", "at_ms": 0, "picture": "poster", "holder": "seller", "currency": "CNY",
         "authority_code": "CN", "number": 1}  # fmt: skip
DAYS = {"from": "2027-01-01", "until": "2027-12-31"}  # what lists by day cannot do without
# Changes that no scope covers: for nobody signed in, for a browser's session alone, for the key
# itself, for the payment provider, whose signature is looked at instead, and for whoever has the
# link of a screener.
WITHOUT_SCOPE = {
    "create_api_key", "create_session", "end_session", "receive_stripe_event", "register_party",
    "revoke_api_key", "open_screener",
}  # fmt: skip


@dataclass(frozen=True)
class Asked(Caller):
    """A caller that says what it was asked for, and is then refused."""

    asked: list[tuple[str, frozenset[Role]]] = field(default_factory=list)

    def need(self, scope: str, *roles: Role) -> None:
        self.asked.append((scope, frozenset(roles)))
        raise ScopeMissing("Asked.", needed=scope)


@pytest.fixture(scope="module")
def caller() -> Asked:
    return Asked(ids.new(NOW), ids.new(NOW), Role.HOLDER, frozenset())


@pytest.fixture(scope="module")
def app(context: Context, caller: Asked) -> Iterator[FastAPI]:
    made = create_app(context)

    async def find(request: Request) -> Caller:  # noqa: ARG001 - FastAPI passes it.
        return caller

    async def find_late(*_: Any) -> Caller:
        return caller

    made.dependency_overrides[deps.find_caller] = find
    with pytest.MonkeyPatch.context() as patched:
        # Operations that read a long body look for their caller themselves.
        patched.setattr(deps, "find_caller", find_late)
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as opened:
        yield opened


def operations(app: FastAPI) -> dict[str, tuple[str, str, dict[str, Any]]]:
    return {
        said["operationId"]: (method.upper(), path, said)
        for path, methods in app.openapi()["paths"].items()
        for method, said in methods.items()
    }


def example(app: FastAPI, said: dict[str, Any]) -> Any:
    """The first example of an operation's body, as the contract publishes it."""
    content = said.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    name = content["schema"]["$ref"].rpartition("/")[2]
    return app.openapi()["components"]["schemas"][name]["examples"][0]


@pytest.mark.parametrize("operation", NEEDS)
async def test_an_operation_asks_for_its_scope_and_roles(
    operation: str, app: FastAPI, client: httpx.AsyncClient, caller: Asked
) -> None:
    caller.asked.clear()
    method, path, said = operations(app)[operation]
    places = {
        place["name"]: {"party_id": caller.party_id, **TYPED}.get(place["name"], ids.new(NOW))
        for place in said.get("parameters", [])
        if place["in"] == "path"
    }
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    queries = {place["name"] for place in said.get("parameters", []) if place["in"] == "query"}
    params = {name: day for name, day in DAYS.items() if name in queries}
    answer = await client.request(
        method, path.format(**places), json=example(app, said), headers=headers, params=params
    )
    assert caller.asked == [NEEDS[operation]]
    assert answer.status_code == 403


def test_every_change_is_asked_for_or_named_here(app: FastAPI) -> None:
    changes = {
        name
        for name, (method, _, _) in operations(app).items()
        if method not in ("GET", "HEAD", "OPTIONS")
    }
    assert changes - NEEDS.keys() == WITHOUT_SCOPE
