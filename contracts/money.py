"""Money: integer minor units of an ISO 4217 currency, and splitting without loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from contracts.refusal import Kind, Refusal

# Minor-unit exponents, ISO 4217 (list one, 2026); only currencies the exchange settles in.
EXPONENTS: Mapping[str, int] = {
    "CNY": 2, "HKD": 2, "USD": 2, "EUR": 2, "GBP": 2, "SGD": 2, "JPY": 0, "KRW": 0, "KWD": 3,
    "CHF": 2, "PLN": 2, "SEK": 2,
}  # fmt: skip
# Ten million million minor units: far above any price of a right, far below bigint and JSON's 2^53.
MOST_MINOR = 10_000_000_000_000
WHOLE_BP = 10_000  # the whole in basis points (万分之一)


class WrongCurrency(Refusal):
    """The amount is in a currency that does not fit here."""

    kind, code = Kind.INVALID, "wrong-currency"
    hint = "Use the currency named in the terms."


class AmountOutOfRange(Refusal):
    """The amount is negative, zero where it may not be, or beyond what the exchange handles."""

    kind, code = Kind.INVALID, "amount-out-of-range"
    hint = "Send whole minor units (分, cents) between the least and the most named."


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount: `amount_minor` whole minor units (may be negative) of `currency`."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse floats, booleans, unknown currencies and amounts beyond the limit."""
        if type(self.amount_minor) is not int:
            raise AmountOutOfRange("An amount is a whole number of minor units.")
        if self.currency not in EXPONENTS:
            raise WrongCurrency(
                f"Currency {self.currency!r} is not handled.", known=sorted(EXPONENTS)
            )
        if abs(self.amount_minor) > MOST_MINOR:
            raise AmountOutOfRange("The amount is too large.", most_minor=MOST_MINOR)

    def __add__(self, other: "Money") -> "Money":
        """Add an amount of the same currency."""
        return Money(self.amount_minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        """Subtract an amount of the same currency."""
        return Money(self.amount_minor - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        """Compare with an amount of the same currency."""
        return self.amount_minor < self._same(other)

    def __ge__(self, other: "Money") -> bool:
        """Compare with an amount of the same currency."""
        return self.amount_minor >= self._same(other)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise WrongCurrency(
                f"{other.currency} does not mix with {self.currency}.", wanted=self.currency
            )
        return other.amount_minor

    def decimal(self) -> str:
        """Write the amount as a plain decimal in major units, e.g. `1200000.00`."""
        places = EXPONENTS[self.currency]
        sign, digits = "-" if self.amount_minor < 0 else "", str(abs(self.amount_minor))
        if places == 0:
            return sign + digits
        digits = digits.rjust(places + 1, "0")
        return f"{sign}{digits[:-places]}.{digits[-places:]}"

    def share(self, rate_bp: int) -> "Money":
        """Return `rate_bp` ten-thousandths of the amount, rounded half away from zero."""
        scaled = abs(self.amount_minor) * rate_bp
        minor = (scaled + WHOLE_BP // 2) // WHOLE_BP
        return Money(minor if self.amount_minor >= 0 else -minor, self.currency)


def from_decimal(text: str, currency: str) -> Money:
    """Return an amount that `Money.decimal` wrote."""
    whole, _, rest = text.partition(".")
    return Money(int(whole + rest.ljust(EXPONENTS[currency], "0")), currency)


def percent(rate_bp: int) -> str:
    """Write basis points (not negative) as a percentage with two decimals, e.g. `7.50`."""
    return f"{rate_bp // 100}.{rate_bp % 100:02d}"


def split(total_minor: int, weights: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Split an amount by weights, exactly, with the largest-remainder method.

    The parts add up to `total_minor`; each is less than one minor unit from its exact fraction;
    the order of payees does not matter (ties go to the smaller id); `split(-x) == -split(x)`.

    Args:
        total_minor: minor units, any sign.
        weights: (stable id, weight ≥ 0); ids are unique and the weights do not sum to zero.

    Raises:
        ValueError: when ids repeat or weights are negative or all zero (a bug, not a refusal).
    """
    table = dict(weights)
    whole = sum(table.values())
    if len(table) != len(weights) or whole <= 0 or min(table.values()) < 0:
        raise ValueError("weights need unique ids, none negative, not all zero")
    size = abs(total_minor)
    exact = {key: Fraction(size * weight, whole) for key, weight in table.items()}
    parts = {key: int(value) for key, value in exact.items()}
    by_remainder = sorted(table, key=lambda key: (parts[key] - exact[key], key))
    for key in by_remainder[: size - sum(parts.values())]:
        parts[key] += 1
    return parts if total_minor >= 0 else {key: -part for key, part in parts.items()}
