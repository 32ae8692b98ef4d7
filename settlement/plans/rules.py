"""Who gets which part of a price (分账): commission first, the rest by shares, without loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from uuid import UUID

from contracts.money import WHOLE_BP, Money, percent, split
from settlement.fees.rules import Agreed, Charge

COMMISSION, SHARE = "commission", "share"
# What a settlement is of: the price of a deal, or a claim under it.
PRICE, ROYALTIES, INTEREST = "price", "royalties", "interest"
# Interest on an instalment for the time that the contract gives for it (延期付款利息).
DEFERRAL = "deferral"
INTERESTS = (INTEREST, DEFERRAL)
# The buyer's fee, which it owes the exchange beside the price (买方服务费); no owner gets of it.
SERVICE_FEE = "service-fee"
# A further part of a price that is paid in parts; the first goes by the deal's own id.
INSTALMENT = "instalment"
OF_THE_PRICE = (PRICE, INSTALMENT)
# What nobody owes any more once a deal has ended by default; what was late bears interest, and
# royalties were earned by use.
ENDS_WITH_DEFAULT = (PRICE, INSTALMENT, DEFERRAL)
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
    amounts: Sequence[Money] = ()  # of the parts that the price is paid in; none: it is one sum
    # Of a package: its works, the first one with them, and what each is worth in the price.
    works: Sequence[tuple[UUID, Money]] = ()
    fees: Agreed | None = None  # what the deal agreed about fees; None: it says nothing of them


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


def divided(whole: Sequence[Part], amounts: Sequence[Money]) -> list[list[Part]]:
    """Divide each part of a price as the whole is divided, on the sums to date.

    Commission and shares of the first parts together are those of their sum, and of all parts
    together those of the whole price. Nobody gives back: where the sums to date would take a minor
    unit from a payee (the Alabama paradox), an earlier part gives it one less.

    Args:
        whole: the parts of the whole price, commission first, as `parts` makes them.
        amounts: what is paid in each part, positive; together the price.
    """
    own, *owners = whole
    upto = list(accumulate(one.amount_minor for one in amounts))
    fees = [_pro_rata(own.amount.amount_minor, sum_to_date, upto[-1]) for sum_to_date in upto]
    weights = [(str(owner.payee_id), owner.rate_bp) for owner in owners]
    nets = [gross - fee for gross, fee in zip(upto, fees, strict=True)]
    shares = _never_back([split(net, weights) for net in nets], weights)
    steps = []
    for at, amount in enumerate(amounts):
        fee = fees[at] - (fees[at - 1] if at else 0)
        got = shares[at - 1] if at else dict.fromkeys(shares[at], 0)
        mine = replace(own, basis_minor=amount.amount_minor, amount=Money(fee, amount.currency))
        steps.append([mine] + [
            replace(
                owner,
                basis_minor=amount.amount_minor - fee,
                amount=Money(shares[at][str(owner.payee_id)] - got[str(owner.payee_id)],
                             amount.currency),
            )
            for owner in owners
        ])  # fmt: skip
    return steps


def _pro_rata(charged: int, part: int, whole: int) -> int:
    """Return what of a charge falls on a part, rounded half up."""
    return (2 * charged * part + whole) // (2 * whole)


def _never_back(
    sums: list[dict[str, int]], weights: Sequence[tuple[str, int]]
) -> list[dict[str, int]]:
    """Let no sum to date be more than the one after it; each keeps its total, the last stays."""
    whole = sum(weight for _, weight in weights)
    share = {key: Fraction(weight, whole) for key, weight in weights}
    kept = [sums[-1]]
    for sooner in reversed(sums[:-1]):
        later, total = kept[0], sum(sooner.values())
        held = {key: min(minor, later[key]) for key, minor in sooner.items()}
        for _ in range(total - sum(held.values())):
            open_to = [key for key in held if held[key] < later[key]]
            held[min(open_to, key=lambda key: (held[key] - total * share[key], key))] += 1
        kept.insert(0, held)
    return kept


@dataclass(frozen=True, slots=True)
class SoFar:
    """What a deal has brought before a further claim, and who got what of it."""

    gross_minor: int
    commission_minor: int
    got: Mapping[UUID, int]


def further(
    claim: Money, *, first: Sequence[Part], so_far: SoFar, commission_minor: int
) -> list[Part]:
    """Divide a further claim by the rates of the deal's own plan, on the sums to date.

    The parts of the price and of all claims together are those of one price as large as their sum.

    Args:
        claim: the amount, positive.
        first: the parts of the deal's price, commission first.
        so_far: everything claimed before, the price with it.
        commission_minor: what the exchange takes of the sums to date, this claim with them.
    """
    own, *owners = first
    gross = so_far.gross_minor + claim.amount_minor
    fee = commission_minor - so_far.commission_minor
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


def package_parts(
    gross: Money,
    *,
    charge: Charge,
    exchange_id: UUID,
    works: Sequence[tuple[Money, Mapping[UUID, int]]],
) -> list[Part]:
    """Divide the price of several works: commission once, the net by works, then by their owners.

    An owner of several works has one part, whose reason says what each of them brings. The parts
    add up to `gross` exactly, whatever the order of the works.

    Args:
        gross: the price, positive; the amounts of the works add up to it.
        charge: what the exchange takes of it, at most all.
        exchange_id: the exchange as a party.
        works: the amount of each work, and the basis points of each of its owners.

    Raises:
        ValueError: amounts or shares do not make the whole (a bug, not a refusal).
    """
    if sum(amount.amount_minor for amount, _ in works) != gross.amount_minor:
        raise ValueError("the works do not add up to the price")
    net = gross - charge.amount
    weights = [(f"{place:03}", amount.amount_minor) for place, (amount, _) in enumerate(works)]
    nets = installment(weights, before_minor=0, up_to_minor=net.amount_minor)
    found: dict[UUID, list[tuple[int, int, int]]] = {}
    for place, (_, shares) in enumerate(works):
        if sum(shares.values()) != WHOLE_BP:
            raise ValueError("shares do not add up to 10,000 basis points")
        mine = nets[f"{place:03}"]
        owed = split(mine, [(str(payee), bp) for payee, bp in shares.items()])
        for payee, share_bp in shares.items():
            found.setdefault(payee, []).append((owed[str(payee)], share_bp, mine))
    amounts = {payee: sum(owed for owed, _, _ in each) for payee, each in found.items()}
    rates = split(WHOLE_BP, [(str(payee), minor) for payee, minor in amounts.items()])
    owners = [
        Part(
            payee_id=payee,
            kind=SHARE,
            basis_minor=net.amount_minor,
            rate_bp=rates[str(payee)],
            amount=Money(amounts[payee], gross.currency),
            reason=_by_work(found[payee], gross.currency),
        )
        for payee in sorted(found)
    ]
    return [_own(gross, charge, exchange_id=exchange_id), *owners]


def _by_work(each: Sequence[tuple[int, int, int]], currency: str) -> str:
    said = [f"{percent(bp)} % of {Money(net, currency).decimal()}" for _, bp, net in each]
    return f"{' + '.join(said)} net of each work (份额)"


def parts(
    gross: Money, *, charge: Charge, exchange_id: UUID, shares: Mapping[UUID, int]
) -> list[Part]:
    """Divide a price: commission to the exchange, the net among the owners by their shares.

    The parts add up to `gross` exactly, whatever the order of `shares`; owners come in the order
    of their ids.

    Args:
        gross: the price, positive.
        charge: what the exchange takes of it, at most all.
        exchange_id: the exchange as a party.
        shares: basis points of each owner, together 10,000.

    Raises:
        ValueError: the shares do not make the whole (a bug, not a refusal).
    """
    if sum(shares.values()) != WHOLE_BP:
        raise ValueError("shares do not add up to 10,000 basis points")
    net = gross - charge.amount
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
    return [_own(gross, charge, exchange_id=exchange_id), *owners]


def charged(fee: Charge, *, exchange_id: UUID) -> list[Part]:
    """Return the one part of a fee that a side owes the exchange besides: all of it is its own."""
    return [_own(fee.amount, fee, exchange_id=exchange_id)]


def _own(gross: Money, charge: Charge, *, exchange_id: UUID) -> Part:
    return Part(
        payee_id=exchange_id,
        kind=COMMISSION,
        basis_minor=gross.amount_minor,
        rate_bp=charge.rate_bp,
        amount=charge.amount,
        reason=charge.reason,
    )
