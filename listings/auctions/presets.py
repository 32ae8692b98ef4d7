"""Presets: the ways of selling that practice and law know by name, with their basis (pure).

Sources: the laws below, with the day each came into force. No order book, no fractions of a right,
ever (国发〔2011〕38号, 国办发〔2012〕37号).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SOA = "企业国有资产法 (2009-05-01)"
D32 = "企业国有资产交易监督管理办法 (国资委 财政部令第32号, 2016-06-24)"
R17 = "企业国有资产交易操作规则 (国资发产权规〔2025〕17号, 2025-02-18)"
AUC = "拍卖法 (2015)"
ECL = "电子商务法 (2019-01-01)"


def _basis(source: str, article: str, note: str) -> dict[str, str]:
    return {"source": source, "article": article, "note": note}


_PUBLIC = _basis(SOA, "54", "Two buyers or more: open competitive bidding (公开竞价).")
_METHODS = _basis(D32, "22", "Auction, tender, online bidding and other lawful methods.")
_BINDS = _basis(AUC, "36", "A bid binds until a higher one stands.")
_RESERVE = _basis(AUC, "28, 50", "A reserve may be secret; a bid below it has no effect.")
_NO_SHILL = _basis(AUC, "22, 23, 30, 37", "Seller and operator do not bid; no collusion.")
_DUTCH = _basis(R17, "", "The method of lowering the price is announced beforehand.")
_PRACTICE = _basis("", "", "By contract: the rules were published and accepted beforehand.")
_FORMED = _basis(ECL, "48-49", "Automatic systems bind; the result obliges both to sign.")


@dataclass(frozen=True, slots=True)
class Preset:
    """A named way of selling.

    Attributes:
        code, zh, en: its names.
        method: what it is run with.
        basis: the law it rests on; an entry without a source is contract.
        closing: what the sale's closing has to be, by kind.
        terms: terms it fixes.
    """

    code: str
    zh: str
    en: str
    method: str
    basis: Sequence[Mapping[str, str]]
    closing: str = "fixed"
    terms: Mapping[str, Any] = field(default_factory=dict)


_ALL = (
    Preset("listed-price", "挂牌一口价", "Listed at a fixed price", "fixed", (_METHODS, _FORMED)),
    Preset(
        "negotiated", "协议/意向", "Quotes, then negotiation", "intent",
        (_basis(D32, "22", "One qualified buyer: by negotiation, not below the price asked."),),
    ),
    Preset(
        "one-shot", "一次报价", "One sealed bid", "sealed",
        (_PUBLIC, _METHODS, _RESERVE, _NO_SHILL), terms={"replaceable": False},
    ),
    Preset(
        "multi-round", "多次报价", "Free period, then timed cycles", "english",
        (_PUBLIC, _METHODS, _BINDS, _RESERVE, _NO_SHILL), closing="timed",
    ),
    Preset(
        "weighted", "权重报价", "Weighted score", "weighted",
        (_METHODS, _NO_SHILL, _basis("", "", "The formula is published and exact.")),
    ),
    Preset(
        "dynamic", "动态报价", "Open for bids while listed, then timed", "english",
        (_PUBLIC, _METHODS, _BINDS, _NO_SHILL), closing="timed",
    ),
    Preset("descending", "降价式", "Descending price", "dutch", (_DUTCH, _METHODS)),
    Preset("second-price", "第二价格密封报价", "Vickrey", "vickrey", (_PRACTICE, _NO_SHILL)),
    Preset(
        "maximum-bids", "代理出价", "English with proxy bids", "proxy",
        (_METHODS, _BINDS, _RESERVE, _NO_SHILL), closing="soft",
    ),
    Preset("combinations", "组合竞价", "Package auction", "package", (_PRACTICE, _NO_SHILL)),
)  # fmt: skip
PRESETS: Mapping[str, Preset] = {preset.code: preset for preset in _ALL}

# The basis of a method that is run without a preset.
BASIS: Mapping[str, Sequence[Mapping[str, str]]] = {
    preset.method: preset.basis for preset in reversed(_ALL)
}
