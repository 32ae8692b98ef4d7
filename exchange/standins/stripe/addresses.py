"""Where a customer sends its bank transfers: an account number of its own, at no real bank.

Source: docs.stripe.com/payments/customer-balance/funding-instructions: one kind of transfer for
each currency, and what its account is named by; there is none for CNY.
"""

from collections.abc import Mapping
from typing import Any

# By currency: the kind of transfer, how its address is named, over which networks it comes.
KINDS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "eur": ("eu_bank_transfer", "iban", ("sepa",)),
    "gbp": ("gb_bank_transfer", "sort_code", ("bacs", "fps")),
    "jpy": ("jp_bank_transfer", "zengin", ("zengin",)),
    "usd": ("us_bank_transfer", "aba", ("ach", "domestic_wire_us")),
}
_BANK, _HOLDER = "STAND-IN BANK", "STAND-IN"
_NOWHERE = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def addresses(customer: str, money: str) -> list[dict[str, Any]]:
    """Return the addresses of a customer in a currency."""
    _, kind, networks = KINDS[money]
    named = {"account_holder_address": _NOWHERE, "account_holder_name": _HOLDER}
    said = {**named, "bank_address": _NOWHERE, **_account(customer, kind)}
    return [{"type": kind, "supported_networks": list(networks), kind: said}]


def _account(customer: str, kind: str) -> dict[str, Any]:
    number = f"{int(customer.rpartition('_')[2], 16):020}"
    if kind == "iban":
        return {"bic": "STANDEFFXXX", "country": "DE", "iban": iban("DE", number[-18:])}
    if kind == "sort_code":
        return {"account_number": number[-8:], "sort_code": "000000"}
    if kind == "zengin":
        return {
            "account_number": number[-7:], "account_type": "futsu", "bank_code": "9999",
            "bank_name": _BANK, "branch_code": "999", "branch_name": _BANK,
        }  # fmt: skip
    return {
        "account_number": number[-12:], "account_type": "checking", "bank_name": _BANK,
        "routing_number": "999999999",
    }  # fmt: skip


def iban(country: str, number: str) -> str:
    """Return the IBAN of an account, with its check digits (ISO 7064, modulo 97)."""
    spelled = "".join(str(int(letter, 36)) for letter in f"{number}{country}00")
    return f"{country}{98 - int(spelled) % 97:02}{number}"
