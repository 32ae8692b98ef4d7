"""The methods of sale by code: one line each (pure)."""

from collections.abc import Mapping

from listings.auctions.methods import (
    dutch,
    english,
    fixed,
    intent,
    package,
    proxy,
    sealed,
    vickrey,
    weighted,
)
from listings.auctions.model import Method

METHODS: Mapping[str, Method] = {
    module.METHOD.code: module.METHOD
    for module in (english, proxy, fixed, intent, sealed, vickrey, weighted, dutch, package)
}
