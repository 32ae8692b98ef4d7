"""In what a deposit (保证金) may be given, as the terms of sale say it (pure).

A wire to the exchange's account is always taken where the terms name nothing else, so the rulebooks
of such sales keep their bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from listings.auctions.refusals import BadSale

MODES = ("wire", "charge", "card_hold", "guarantee")
NAMES = ("deposit_modes", "card_margin_h", "guarantee_days")
# Hours that a card holds beyond the longest the auction can run, days after that on which a demand
# under a letter of guarantee is still in time: usual, least, most. A card holds seven days in all.
CARD_MARGIN_H, GUARANTEE_DAYS = (24, 1, 120), (30, 1, 365)


def read(given: Mapping[str, Any], *, is_asked: bool) -> dict[str, Any]:
    """Return the modes that are accepted, and their margins; nothing where it is a wire alone.

    Raises:
        BadSale: a mode or a margin is unknown, or no deposit is asked for.
    """
    modes = _modes(given)
    found: dict[str, Any] = {"deposit_modes": modes}
    for name, mode, bounds in (
        ("card_margin_h", "card_hold", CARD_MARGIN_H),
        ("guarantee_days", "guarantee", GUARANTEE_DAYS),
    ):
        if mode in modes:
            found[name] = _margin(given, name, bounds)
        elif given.get(name) is not None:
            raise BadSale("This goes with a mode that is not accepted.", fields=[name])
    if modes == ["wire"]:
        return {}
    if not is_asked:
        raise BadSale("Only who applies with a deposit gives one.", fields=["deposit_modes"])
    return found


def _modes(given: Mapping[str, Any]) -> list[str]:
    modes = given.get("deposit_modes")
    if modes is None:
        return ["wire"]
    if not isinstance(modes, list | tuple) or not modes or any(one not in MODES for one in modes):
        fields = ["deposit_modes"]
        raise BadSale("These are no modes of a deposit.", fields=fields, known=list(MODES))
    return [one for one in MODES if one in modes]


def _margin(given: Mapping[str, Any], name: str, bounds: Sequence[int]) -> int:
    usual, least, most = bounds
    value = usual if given.get(name) is None else given[name]
    if type(value) is not int or not least <= value <= most:
        raise BadSale("A number is out of range.", fields=[name], least=least, most=most)
    return value
