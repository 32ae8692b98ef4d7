"""How the price of an auction is paid (付款方式): at once, in instalments, or with a share on top.

The rulebook says it before anybody bids, so that everybody bids for the same terms; the amount is
what the rules award. In instalments (分期付款) the award is the whole price, in parts of it. With a
guarantee and a share (保底加分成) the award is the guarantee, and the share is the rulebook's. A
rulebook that says nothing has one sum, due as the contract says.

Source: `contracts/deals/instalments.py` for the parts;
企业国有资产交易监督管理办法 (32号令) art. 18 (the notice says the conditions of the sale).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.deals import instalments, pricing
from contracts.deals.instalments import Schedule
from contracts.deals.pricing import GUARANTEE_SHARE, INSTALMENTS
from contracts.money import WHOLE_BP, percent
from listings.auctions import steps
from listings.auctions.refusals import BadSale

# The member of each price that the award fills; a rulebook leaves it open.
SUM: Mapping[str, str] = {INSTALMENTS: "amount_minor", GUARANTEE_SHARE: "guarantee_minor"}
MODELS = tuple(SUM)


def read(sale: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a sale's way of paying in the one form that is hashed; None where nothing is said.

    It is a `model`, and for instalments `parts`, `rate_bp` and `security`, otherwise `share_bp`.
    Whatever the rules award is the floor or more, so what holds for the floor holds for the award.

    Args:
        sale: the terms of sale with their currency and method.

    Raises:
        BadSale: it is no way of paying an award, or not one of this method.
        BadInstalments: the parts do not make a plan, or a part of the floor would be nothing.
        BadPrice: a field is missing, unknown or out of range.
        AmountOutOfRange: the floor is no amount.
    """
    wire = sale.get("payment")
    if wire is None:
        return None
    if not isinstance(wire, Mapping) or wire.get("model") not in MODELS:
        raise BadSale("This is no way to pay.", fields=["payment"], models=list(MODELS))
    if sale["method"] == "intent":
        raise BadSale("Quotes are negotiated, and so is how to pay.", fields=["payment"])
    if SUM[wire["model"]] in wire:
        raise BadSale("The award says how much.", fields=[SUM[wire["model"]]])
    floor_minor = steps.whole(sale["floor_minor"])
    read = pricing.read(price(wire, floor_minor), currency=sale["currency"])
    if read.schedule is None:
        return {"model": GUARANTEE_SHARE, "share_bp": read.share_bp}
    _check_parts(read.schedule, floor_minor)
    return _normal(read.schedule)


def price(payment: Mapping[str, Any], amount_minor: int) -> dict[str, Any]:
    """Return the price of an award, as `contracts.deals.pricing` reads it."""
    return {**payment, SUM[payment["model"]]: amount_minor}


def schedule(payment: Mapping[str, Any] | None) -> Schedule | None:
    """Return the schedule of a way of paying; None where there is one sum."""
    if payment is None or payment["model"] != INSTALMENTS:
        return None
    return instalments.read(payment)


def sentences(payment: Mapping[str, Any]) -> dict[str, str]:
    """Return how it is paid in sentences, in both languages, for the rulebook and the notice."""
    if payment["model"] == GUARANTEE_SHARE:
        share = percent(payment["share_bp"])
        return {
            "payment": f"The price is a guarantee; {share} % of the licensee's net receipts are "
            "owed beyond it.",
            "payment_zh": f"成交价为保底许可费；被许可方净收入的{share}%超过保底的部分另行支付。",
        }
    parts: Sequence[Mapping[str, int]] = payment["parts"]
    rate, held = percent(payment["rate_bp"]), payment["security"]
    said = ", ".join(f"{percent(one['share_bp'])} % within {one['due_days']} days" for one in parts)
    said_zh = "、".join(f"{one['due_days']}日内付{percent(one['share_bp'])}%" for one in parts)
    return {
        "payment": f"The price is paid in {len(parts)} instalments, counted from the contract "
        f"taking effect: {said}; interest on those after the first {rate} % a year; security: "
        f"{held or 'none'}. A deposit that becomes price counts to the first, and what "
        "is left of it goes back.",
        "payment_zh": f"价款自合同生效之日起分{len(parts)}期支付：{said_zh}；首期以后各期年利率"
        f"{rate}%；担保：{held or '无'}。保证金转价款的，计入首期，余额退还。",
    }  # fmt: skip


def _check_parts(read: Schedule, floor_minor: int) -> None:
    """Check that each part of the floor is a minor unit at least.

    The parts are differences of rounded sums: where the exact part is one unit or more, it is not
    0, and an award is the floor or more.
    """
    if any(share_bp * floor_minor < WHOLE_BP for share_bp, _ in read.parts):
        raise instalments.BadInstalments("A part of the floor would be nothing.", field="parts")


def _normal(read: Schedule) -> dict[str, Any]:
    return {
        "model": INSTALMENTS,
        "parts": [{"share_bp": share_bp, "due_days": days} for share_bp, days in read.parts],
        "rate_bp": read.rate_bp,
        "security": read.security,
    }
