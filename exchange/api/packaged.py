"""The works of a contract of several (多部作品合同), as the wire carries them."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from exchange.api.deps import Shape


class PackagedWorkOut(Shape):
    """A work of a contract of several, and what it is worth in the one price."""

    work_id: UUID
    title_zh: str
    title_en: str
    listing_id: UUID | None
    amount: Annotated[str, Field(description="in major units, as the contract says it")]


def works_of(terms: Mapping[str, Any]) -> list[PackagedWorkOut]:
    """Return the works that terms name; none where the contract is of one work."""
    lines = terms["consideration"].get("lines", ())
    return [
        PackagedWorkOut(
            work_id=work["work"],
            title_zh=work["title"]["zh"],
            title_en=work["title"]["en"],
            listing_id=work["asset"]["listing"],
            amount=line["amount"],
        )
        for work, line in zip(terms.get("works", ()), lines, strict=True)
    ]
