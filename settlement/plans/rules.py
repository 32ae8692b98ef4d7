"""Who gets which part of a price (分账): commission first, the rest by shares, without loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from contracts.money import WHOLE_BP, Money, percent, split
from settlement.fees.rules import Rate, commission

COMMISSION, SHARE = "commission", "share"
# What a settlement is of: the price of a deal, or a claim under it.
PRICE, ROYALTIES, INTEREST = "price", "royalties", "interest"
AWAITING_PAYMENT, FUNDED = "awaiting_payment", "funded"
PAYING, PAID_OUT = "paying", "paid_out"
# A settlement only ever moves one step forward.
STEPS = (AWAITING_PAYMENT, FUNDED, PAYING, PAID_OUT)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an executed deal says about money."""

    deal_id: UUID
    work_id: UUID
    licensor_id: UUID
    licensee_id: UUID
    gross: Money
    terms_sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a price: who gets it, why, and how it was reckoned."""

    payee_id: UUID
    kind: str
    basis_minor: int
    rate_bp: int
    amount: Money
    reason: str


def installment(
    weights: Sequence[tuple[str, int]], *, before_minor: int, up_to_minor: int
) -> dict[str, int]:
    """Split what has come in since `before_minor`, so that the parts add up to the whole's split.

    Cumulative largest remainder: the split of the sum so far, less the split of the sum before.
    """
    now, before = split(up_to_minor, weights), split(before_minor, weights)
    return {key: now[key] - before[key] for key in now}


def step(
    weights: Sequence[tuple[str, int]], *, got: Mapping[str, int], up_to_minor: int
) -> dict[str, int]:
    """Split what has come in by its sum to date, less what each has got; nobody gives back.

    The largest remainder may take one minor unit from a payee when the sum grows (the Alabama
    paradox): that payee then gets nothing in this step, another as much less, and the next step
    makes it even. The parts of a step add up to the sum to date less everything got.

    Args:
        weights: (stable id, weight), as `split` takes them.
        got: what each id has got before, together at most `up_to_minor`.
        up_to_minor: everything that has come in to date.
    """
    wanted = split(up_to_minor, weights)
    parts = {key: wanted[key] - got.get(key, 0) for key in wanted}
    short = -sum(part for part in parts.values() if part < 0)
    parts = {key: max(0, part) for key, part in parts.items()}
    for key in sorted(parts, key=lambda key: (-parts[key], key)):
        less = min(short, parts[key])
        parts[key] -= less
        short -= less
    return parts


@dataclass(frozen=True, slots=True)
class SoFar:
    """What a deal has brought before a further claim, and who got what of it."""

    gross_minor: int
    commission_minor: int
    got: Mapping[UUID, int]


def further(claim: Money, *, first: Sequence[Part], so_far: SoFar) -> list[Part]:
    """Divide a further claim by the rates of the deal's own plan, on the sums to date.

    The parts of the price and of all claims together are those of one price as large as their sum.

    Args:
        claim: the amount, positive.
        first: the parts of the deal's price, commission first.
        so_far: everything claimed before, the price with it.
    """
    own, *owners = first
    gross = so_far.gross_minor + claim.amount_minor
    fee = Money(gross, claim.currency).share(own.rate_bp).amount_minor - so_far.commission_minor
    fee = min(max(0, fee), claim.amount_minor)
    net = gross - so_far.commission_minor - fee
    amounts = step(
        [(str(owner.payee_id), owner.rate_bp) for owner in owners],
        got={str(payee): minor for payee, minor in so_far.got.items()},
        up_to_minor=net,
    )
    mine = replace(own, basis_minor=claim.amount_minor, amount=Money(fee, claim.currency))
    return [mine] + [
        replace(
            owner,
            basis_minor=claim.amount_minor - fee,
            amount=Money(amounts[str(owner.payee_id)], claim.currency),
        )
        for owner in owners
    ]


def parts(gross: Money, *, rate: Rate, exchange_id: UUID, shares: Mapping[UUID, int]) -> list[Part]:
    """Divide a price: commission to the exchange, the net among the owners by their shares.

    The parts add up to `gross` exactly, whatever the order of `shares`; owners come in the order
    of their ids.

    Args:
        gross: the price, positive.
        rate: the commission's rate.
        exchange_id: the exchange as a party.
        shares: basis points of each owner, together 10,000.

    Raises:
        ValueError: the shares do not make the whole (a bug, not a refusal).
    """
    if sum(shares.values()) != WHOLE_BP:
        raise ValueError("shares do not add up to 10,000 basis points")
    fee = commission(gross, rate)
    net = gross - fee
    weights = [(str(payee), share_bp) for payee, share_bp in shares.items()]
    amounts = installment(weights, before_minor=0, up_to_minor=net.amount_minor)
    owners = [
        Part(
            payee_id=payee,
            kind=SHARE,
            basis_minor=net.amount_minor,
            rate_bp=shares[payee],
            amount=Money(amounts[str(payee)], gross.currency),
            reason=f"{percent(shares[payee])} % of the net price (份额)",
        )
        for payee in sorted(shares)
    ]
    own = Part(
        payee_id=exchange_id,
        kind=COMMISSION,
        basis_minor=gross.amount_minor,
        rate_bp=rate.rate_bp,
        amount=fee,
        reason=f"{percent(rate.rate_bp)} % commission (佣金): {rate.legal_basis}",
    )
    return [own, *owners]
