"""The ways of selling that are offered (交易方式), each with the law that it rests on. Public."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from exchange.api.bodies import JsonRoute
from exchange.api.deps import Shape
from listings.auctions import presets

router = APIRouter(route_class=JsonRoute, tags=["auctions"])


class BasisOut(Shape):
    """Why a way of selling is lawful; without a source it is by contract alone."""

    source: Annotated[str, Field(description="The law, and since when it is in force.")]
    article: str
    note: str


class PresetOut(Shape):
    """A way of selling by its name in the trade."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "multi-round",
                    "name_zh": "多次报价",
                    "name_en": "Free period, then timed cycles",
                    "method": "english",
                    "closing": "timed",
                    "legal_basis": [
                        {
                            "source": "拍卖法 (2015)",
                            "article": "36",
                            "note": "A bid binds until a higher one stands.",
                        }
                    ],
                }
            ]
        }
    )

    code: Annotated[str, Field(description="Goes into `sale.preset`.")]
    name_zh: str
    name_en: str
    method: Annotated[str, Field(description="Goes into `sale.method`.")]
    closing: Annotated[str, Field(description="The kind of `sale.closing`: fixed, soft or timed.")]
    legal_basis: list[BasisOut]


class PresetsOut(Shape):
    """Every way of selling; they are few, so there are no pages."""

    items: list[PresetOut]


@router.get("/auction-methods")
async def list_auction_methods() -> PresetsOut:
    """List the ways of selling. There is no order book, and nothing is sold in fractions."""
    return PresetsOut(items=[_out(preset) for preset in presets.PRESETS.values()])


def _out(preset: presets.Preset) -> PresetOut:
    return PresetOut(
        code=preset.code,
        name_zh=preset.zh,
        name_en=preset.en,
        method=preset.method,
        closing=preset.closing,
        legal_basis=[BasisOut(**basis) for basis in preset.basis],
    )
