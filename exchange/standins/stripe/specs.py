"""Which parameters each operation takes, by name, as API version 2026-10-28.endive has them.

Source: the parameter types of the `stripe` package 16.1.0; a test compares the names. A parameter
marked `no` exists at Stripe and is refused here with `standin_unsupported`, never ignored.
"""

from collections.abc import Mapping

from exchange.standins.stripe.addresses import KINDS
from exchange.standins.stripe.forms import (
    Check,
    created,
    each_of,
    flag,
    metadata,
    nested,
    no,
    one_of,
    positive,
    text,
    texts,
    truth,
    whole,
)
from exchange.standins.stripe.recipients import INCLUDED

Spec = Mapping[str, Check]

EXPAND: Spec = {"expand": texts}
PAGE: Spec = {
    "created": created, "ending_before": text, "expand": texts, "limit": whole,
    "starting_after": text,
}  # fmt: skip
_REQUESTED = nested({"requested": flag})
_CONTROLLER = nested(
    {
        "fees": nested({"payer": one_of("account", "application")}),
        "losses": nested({"payments": one_of("application", "stripe")}),
        "requirement_collection": one_of("application", "stripe"),
        "stripe_dashboard": nested({"type": one_of("express", "full", "none")}),
    }
)
_RECEIVES = nested(
    {"stripe_balance": nested({"stripe_transfers": nested({"requested": truth})}, rest=no)}, rest=no
)
_RESPONSIBLE = nested(
    {
        "fees_collector": one_of(
            "application", "application_custom", "application_express", "stripe"
        ),
        "losses_collector": one_of("application", "stripe"),
    }
)
_COLLECTED = nested(
    {
        "fields": one_of("currently_due", "eventually_due"),
        "future_requirements": one_of("include", "omit"),
    }
)
_HOSTED = nested({"collection_options": _COLLECTED, "refresh_url": text, "return_url": text})
_BANK_TRANSFER = nested(
    {
        "eu_bank_transfer": nested({"country": one_of("DE")}),
        "requested_address_types": no,
        "type": one_of(*(kind for kind, *_ in KINDS.values())),
    }
)
_METHOD: Spec = {
    "payment_method_data": nested(
        {"type": one_of("customer_balance"), "customer_balance": nested({})}, rest=no
    ),
    "payment_method_options": nested(
        {
            "customer_balance": nested(
                {"bank_transfer": _BANK_TRANSFER, "funding_type": one_of("bank_transfer")}, rest=no
            )
        },
        rest=no,
    ),
}

SPECS: Mapping[str, Spec] = {
    "accounts.create": {
        **EXPAND,
        "business_profile": nested({"name": text, "product_description": text, "url": text}),
        "business_type": one_of("company", "government_entity", "individual", "non_profit"),
        "capabilities": nested({"card_payments": _REQUESTED, "transfers": _REQUESTED}),
        "controller": _CONTROLLER,
        "country": text, "default_currency": text, "email": text, "metadata": metadata,
        "type": one_of("custom", "express", "standard"),
        **dict.fromkeys(
            ("account_token", "company", "documents", "external_account", "groups", "individual",
             "settings", "tos_acceptance"), no,
        ),
    },
    "v2.core.accounts.create": {
        "configuration": nested({"recipient": nested({"capabilities": _RECEIVES}, rest=no)},
                                rest=no),
        "contact_email": text, "contact_phone": text,
        "dashboard": one_of("express", "full", "none"),
        "defaults": nested({"currency": text, "responsibilities": _RESPONSIBLE}, rest=no),
        "display_name": text,
        "identity": nested(
            {"country": text,
             "entity_type": one_of("company", "government_entity", "individual", "non_profit")},
            rest=no,
        ),
        "include": each_of(*INCLUDED), "metadata": metadata, "account_token": no,
    },
    "v2.core.accounts.retrieve": {"include": each_of(*INCLUDED)},
    "v2.core.account_links.create": {
        "account": text,
        "use_case": nested(
            {"account_onboarding": _HOSTED, "account_update": _HOSTED,
             "type": one_of("account_onboarding", "account_update")},
        ),
    },
    "v2.core.events.list": {
        "created": no, "limit": whole, "object_id": text, "types": texts,
    },
    "v2.core.events.retrieve": {},
    "account_links.create": {
        **EXPAND,
        "account": text, "collect": one_of("currently_due", "eventually_due"),
        "collection_options": _COLLECTED, "refresh_url": text, "return_url": text,
        "type": one_of("account_onboarding", "account_update"),
    },
    "accounts.retrieve": EXPAND,
    "accounts.list": PAGE,
    "payment_intents.create": {
        **EXPAND,
        **_METHOD,
        "allowed_payment_method_types": texts,
        "amount": positive,
        "automatic_payment_methods": nested(
            {"enabled": flag, "allow_redirects": one_of("always", "never")}
        ),
        "capture_method": one_of("automatic", "automatic_async", "manual"),
        "confirm": flag, "confirmation_method": one_of("automatic", "manual"), "currency": text,
        "customer": text, "description": text, "error_on_requires_action": flag,
        "metadata": metadata, "off_session": flag, "payment_method": text,
        "receipt_email": text, "return_url": text,
        "statement_descriptor": text, "statement_descriptor_suffix": text, "transfer_group": text,
        "use_stripe_sdk": flag,
        **dict.fromkeys(
            ("amount_details", "application_fee_amount", "confirmation_token", "customer_account",
             "excluded_payment_method_types", "hooks", "mandate", "mandate_data", "on_behalf_of",
             "payment_details", "payment_method_configuration", "radar_options",
             "setup_future_usage", "shipping", "transfer_data"), no,
        ),
    },
    "payment_intents.retrieve": {**EXPAND, "client_secret": text},
    "payment_intents.confirm": {
        **EXPAND,
        **_METHOD,
        "capture_method": one_of("automatic", "automatic_async"),
        "error_on_requires_action": flag, "off_session": flag, "payment_method": text,
        "receipt_email": text, "return_url": text, "use_stripe_sdk": flag,
        **dict.fromkeys(
            ("allowed_payment_method_types", "amount_details", "amount_to_confirm",
             "confirmation_token", "excluded_payment_method_types", "hooks", "mandate",
             "mandate_data", "payment_details", "radar_options", "setup_future_usage",
             "shipping"), no,
        ),
    },
    "payment_intents.capture": {
        **EXPAND,
        "amount_to_capture": positive, "final_capture": flag, "metadata": metadata,
        **dict.fromkeys(
            ("amount_details", "application_fee_amount", "hooks", "payment_details",
             "statement_descriptor", "statement_descriptor_suffix", "transfer_data"), no,
        ),
    },
    "payment_intents.cancel": {
        **EXPAND,
        "cancellation_reason": one_of(
            "abandoned", "duplicate", "fraudulent", "requested_by_customer"
        ),
    },
    "payment_intents.list": {**PAGE, "customer": text, "customer_account": no},
    "customers.create": {
        **EXPAND,
        "business_name": text, "description": text, "email": text, "individual_name": text,
        "metadata": metadata, "name": text, "phone": text, "preferred_locales": texts,
        **dict.fromkeys(
            ("address", "balance", "cash_balance", "invoice_prefix", "invoice_settings",
             "next_invoice_sequence", "payment_method", "shipping", "source", "tax", "tax_exempt",
             "tax_id_data", "test_clock", "validate"), no,
        ),
    },
    "customers.retrieve": EXPAND,
    "customers.list": {**PAGE, "email": text, "test_clock": no},
    "customer_cash_balances.retrieve": EXPAND,
    "customer_cash_balance_transactions.list": {
        "ending_before": text, "expand": texts, "limit": whole, "starting_after": text,
    },
    "test_helpers.customers.fund_cash_balance": {
        **EXPAND, "amount": positive, "currency": text, "reference": text,
    },
    "charges.retrieve": EXPAND,
    "charges.list": {**PAGE, "customer": text, "payment_intent": text, "transfer_group": text},
    "transfers.create": {
        **EXPAND,
        "amount": positive, "currency": text, "description": text, "destination": text,
        "metadata": metadata, "source_transaction": text,
        "source_type": one_of("bank_account", "card", "fpx"), "transfer_group": text,
    },
    "transfers.retrieve": EXPAND,
    "transfers.list": {**PAGE, "destination": text, "transfer_group": text},
    "transfer_reversals.create": {
        **EXPAND,
        "amount": positive, "description": text, "metadata": metadata,
        "refund_application_fee": no,
    },
    "transfer_reversals.list": {
        "ending_before": no, "expand": texts, "limit": whole, "starting_after": no,
    },
    "refunds.create": {
        **EXPAND,
        "amount": positive, "charge": text, "metadata": metadata, "payment_intent": text,
        "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
        **dict.fromkeys(
            ("currency", "customer", "instructions_email", "origin",
             "refund_application_fee", "reverse_transfer"), no,
        ),
    },
    "refunds.retrieve": EXPAND,
    "refunds.list": {**PAGE, "charge": text, "payment_intent": text},
    "disputes.retrieve": EXPAND,
    "disputes.list": {**PAGE, "charge": text, "payment_intent": text},
    "payouts.create": {
        **EXPAND,
        "amount": positive, "currency": text, "description": text, "metadata": metadata,
        "method": one_of("standard"), "source_type": one_of("bank_account", "card", "fpx"),
        "statement_descriptor": text,
        **dict.fromkeys(("destination", "payout_method"), no),
    },
    "payouts.retrieve": EXPAND,
    "payouts.list": {
        **PAGE, "arrival_date": no, "destination": no,
        "status": one_of("pending", "in_transit", "paid", "failed", "canceled"),
    },
    "payouts.cancel": EXPAND,
    "balance.retrieve": EXPAND,
    "balance_transactions.retrieve": EXPAND,
    "balance_transactions.list": {
        **PAGE, "currency": text, "payout": no, "source": text, "type": text,
    },
    "events.retrieve": EXPAND,
    "events.list": {**PAGE, "delivery_success": flag, "type": text, "types": texts},
}  # fmt: skip

REQUIRED: Mapping[str, frozenset[str]] = {
    "payment_intents.create": frozenset({"amount", "currency"}),
    "account_links.create": frozenset({"account", "type"}),
    "v2.core.account_links.create": frozenset({"account", "use_case"}),
    "transfers.create": frozenset({"currency", "destination"}),
    "payouts.create": frozenset({"amount", "currency"}),
    "test_helpers.customers.fund_cash_balance": frozenset({"amount", "currency"}),
}

# The browser side confirms with a publishable key and the client secret (Stripe.js does).
BROWSER: Mapping[str, Spec] = {
    "payment_intents.confirm": {
        **SPECS["payment_intents.confirm"], "client_secret": text, "key": text,
    },
    "payment_intents.retrieve": {**SPECS["payment_intents.retrieve"], "key": text},
}  # fmt: skip
