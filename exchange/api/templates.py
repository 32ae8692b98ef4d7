"""Templates of contracts (合同模板) and their clauses: what is signed here can be read before."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from contracts.deals import heads, templates
from contracts.deals.library import Clause
from contracts.deals.templates import Template, TemplateUnknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Shape

router = APIRouter(route_class=JsonRoute, tags=["templates"])


class TwiceOut(Shape):
    """The same in both languages."""

    zh: str
    en: str


class HeadOut(Shape):
    """A head that 著作权法 art. 26 or 27 requires, with its item."""

    item: int
    name: str
    head: str


class ClauseOut(Shape):
    """A clause in both languages; names in braces are filled from the terms."""

    ref: str
    version: str
    sha256: Annotated[str, Field(description="SHA-256 of the clause's RFC 8785 bytes.")]
    heads: list[str]
    title: TwiceOut
    zh: str
    en: str
    parameters: list[str]


class TemplateOut(Shape):
    """A version of a template; once published it never changes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "network-licence-zh-en",
                    "version": "1",
                    "kind": "licence",
                    "title": {
                        "zh": "信息网络传播权许可使用合同",
                        "en": "Information-network Licence Agreement",
                    },
                    "retired": False,
                    "article": 26,
                    "heads": [{"item": 1, "name": "许可使用的权利种类", "head": "right-kind"}],
                    "price_models": [
                        "flat",
                        "instalments",
                        "guarantee-share",
                        "guarantee-tiers",
                        "per-run",
                    ],
                    "prevailing": "zh",
                    "sha256": "ab" * 32,
                    "form_sha256": "cd" * 32,
                }
            ]
        }
    )

    id: str
    version: str
    kind: Annotated[str, Field(description="licence, package, assignment or deposit")]
    title: TwiceOut
    retired: Annotated[bool, Field(description="Old contracts print by it, new ones do not.")]
    article: Annotated[int | None, Field(description="Of 著作权法, whose heads it has.")]
    heads: list[HeadOut]
    price_models: list[str]
    prevailing: Annotated[str, Field(description="The language that prevails.")]
    sha256: Annotated[str, Field(description="What terms name: over record, form and clauses.")]
    form_sha256: str


class TemplateTextOut(TemplateOut):
    """A template with the whole text of its clauses."""

    clauses: list[ClauseOut]


class TemplatesOut(Shape):
    """Every version of every template; they are few, so there are no pages."""

    items: list[TemplateOut]


@router.get("/templates")
async def list_templates() -> TemplatesOut:
    """List the templates, the retired ones too. Public."""
    return TemplatesOut(items=[TemplateOut(**_said(one)) for one in templates.TEMPLATES])


@router.get("/templates/{template_id}/{version}", responses=problems.responses(TemplateUnknown))
async def get_template(template_id: str, version: str) -> TemplateTextOut:
    """Show a template with its clauses in both languages. Public."""
    found = templates.version_of(template_id, version)
    return TemplateTextOut(**_said(found), clauses=[_clause(one) for one in found.every_clause()])


def _said(one: Template) -> dict[str, object]:
    asked = heads.HEADS[one.article] if one.article else {}
    return {
        "id": one.id,
        "version": one.version,
        "kind": one.kind,
        "title": _twice(one.words["title"]),
        "retired": one.is_retired,
        "article": one.article,
        "heads": [HeadOut(item=item, name=name, head=head) for head, (item, name) in asked.items()],
        "price_models": templates.priced(one),
        "prevailing": one.prevailing,
        "sha256": one.sha256,
        "form_sha256": one.form_sha256,
    }


def _clause(one: Clause) -> ClauseOut:
    return ClauseOut(
        **one.named(),
        heads=list(one.heads),
        title=_twice(one.title),
        zh=one.zh,
        en=one.en,
        parameters=sorted(one.parameters()),
    )


def _twice(words: Mapping[str, str]) -> TwiceOut:
    return TwiceOut(zh=words["zh"], en=words["en"])
