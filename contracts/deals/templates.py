"""The templates of contracts: which form, clauses and heads each kind of contract has.

Source: 著作权法 arts. 26-27 (licence and assignment apart); IFTA's and the Chinese trade's model
contracts for what a broadcast, a network licence and a package differ in.
A published version never changes: its hash covers the record, the form and every clause, terms name
it, and the log holds it (`template.published`). What terms of versions 1 and 2 of `licence-zh-en`
name is the hash of the form alone; version 1 was printed by two forms.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import noto_cjk_sans_otc

from contracts import canonical
from contracts.deals import library, pricing
from contracts.deals.library import Clause
from contracts.refusal import Kind, Refusal

FEE = "fee"  # the place among the clauses where the one about the price stands
GENERAL, PACKAGE, ASSIGNMENT, DEPOSIT, SIGNED_DEPOSIT = (
    "licence-zh-en", "package-licence-zh-en", "assignment-zh-en", "deposit-zh-en",
    "deposit-signed-zh-en",
)  # fmt: skip
EXCLUSIVE, NON_EXCLUSIVE, NETWORK = (
    "broadcast-exclusive-zh-en", "broadcast-nonexclusive-zh-en", "network-licence-zh-en",
)  # fmt: skip


class TemplateUnknown(Refusal):
    """There is no template of that name, version and text."""

    kind, code = Kind.UNKNOWN, "template-unknown"
    hint = "Use one that GET /v1/templates lists."


class PriceNotInTemplate(Refusal):
    """The template has no clause for a price that is reckoned this way."""

    kind, code = Kind.INVALID, "price-not-in-template"
    hint = "Use a price model named in `models`."


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a kind of contract; `clauses` are `ref/version`, FEE where the price stands.

    `article` is that of 著作权法 whose heads the contract needs; None where it grants nothing.
    """

    id: str
    version: str
    kind: str
    article: int | None
    form: str
    is_retired: bool
    words: Mapping[str, Any]
    prevailing: str
    parameters: Mapping[str, Any]
    fees: Mapping[str, str]
    clauses: Sequence[str]
    form_sha256: str
    sha256: str

    def clauses_for(self, model: str | None) -> tuple[Clause, ...]:
        """Return the clauses of a contract whose price is reckoned this way; None: no price.

        Raises:
            PriceNotInTemplate: the template has no clause for it.
        """
        if model is not None and model not in self.fees:
            raise PriceNotInTemplate("There is no clause for this price.", models=list(self.fees))
        fee = self.fees[model] if model is not None else ""
        return tuple(library.named(fee if one == FEE else one) for one in self.clauses)

    def every_clause(self) -> tuple[Clause, ...]:
        """Return every clause that a contract of this template may have."""
        refs = [
            ref for one in self.clauses for ref in (self.fees.values() if one == FEE else [one])
        ]
        return tuple(library.named(ref) for ref in refs)

    def named(self) -> dict[str, str]:
        """Return how terms name the template: with the font and the typesetter that print it."""
        return {
            "id": self.id,
            "version": self.version,
            "sha256": self.sha256,
            "font_sha256": font_sha256(),
            "setter": setter(),
        }

    def form_bytes(self) -> bytes:
        """Return the source of the form."""
        return form_file(self.form).read_bytes()


def form_file(name: str) -> Path:
    """Return the file of a form."""
    return Path(str(files("contracts.deals").joinpath("forms", name)))


@functools.cache
def font_sha256() -> str:
    """Return the hash of the Chinese font."""
    with Path(str(noto_cjk_sans_otc.FONT_PATH)).open("rb") as font:
        return hashlib.file_digest(font, "sha256").hexdigest()


@functools.cache
def setter() -> str:
    """Return the typesetter with its version: its own fonts and its layout belong to the bytes."""
    return f"typst {version('typst')}"


def _template(raw: Mapping[str, Any]) -> Template:
    form_sha256 = canonical.sha256_hex(form_file(raw["form"]).read_bytes())
    words = {name: raw[name] for name in ("title", "roles", "subject", "rights", "fee")}
    made = Template(
        id=raw["id"],
        version=raw["version"],
        kind=raw["kind"],
        article=raw["article"],
        form=raw["form"],
        is_retired=raw["retired"],
        words=words,
        prevailing=raw["prevailing"],
        parameters=raw["parameters"],
        fees=raw["fees"],
        clauses=tuple(raw["clauses"]),
        form_sha256=form_sha256,
        sha256=form_sha256,
    )
    return made if raw["hashed"] == "form" else _hashed(made)


def _hashed(made: Template) -> Template:
    """Return the template with the hash of all that it says."""
    said = {
        "id": made.id,
        "version": made.version,
        "kind": made.kind,
        "article": made.article,
        "words": made.words,
        "prevailing": made.prevailing,
        "parameters": made.parameters,
        "fees": made.fees,
        "order": list(made.clauses),
        "clauses": [clause.named() for clause in made.every_clause()],
        "form_sha256": made.form_sha256,
    }
    values = {name: getattr(made, name) for name in made.__slots__}
    return Template(**{**values, "sha256": canonical.sha256_hex(canonical.dumps(said))})


TEMPLATES: tuple[Template, ...] = tuple(
    _template(raw)
    for raw in json.loads(files("contracts.deals").joinpath("templates.json").read_text("utf-8"))[
        "templates"
    ]
)


def current(template_id: str) -> Template:
    """Return the version of a template that new contracts use.

    Raises:
        TemplateUnknown: there is none.
    """
    for known in reversed(TEMPLATES):
        if known.id == template_id and not known.is_retired:
            return known
    raise TemplateUnknown(f"There is no template {template_id!r}.", template=template_id)


def version_of(template_id: str, wanted: str) -> Template:
    """Return one version of a template, retired or not; the last where a version had two forms.

    Raises:
        TemplateUnknown: there is none.
    """
    for known in reversed(TEMPLATES):
        if (known.id, known.version) == (template_id, wanted):
            return known
    raise TemplateUnknown("There is no such template.", template=template_id, version=wanted)


def of(named: Mapping[str, str]) -> Template:
    """Return the template that terms name.

    Raises:
        TemplateUnknown: there is none of that id, version and text.
    """
    wanted = (named["id"], named["version"], named["sha256"])
    for known in TEMPLATES:
        if (known.id, known.version, known.sha256) == wanted:
            return known
    raise TemplateUnknown("The terms name a template that is not here.", template=named["id"])


def for_grants(grants: Iterable[Mapping[str, Any]]) -> Template:
    """Return the template of a licence by what it grants: broadcast, network, or what else.

    A broadcast licence has a text of its own where every right in it is 专有 (exclusive or sole),
    and one where none is. Whatever mixes rights or exclusivity takes the general one.
    """
    rights = {(grant["right"], grant["exclusivity"] == "non-exclusive") for grant in grants}
    return current(_BY_RIGHTS.get(frozenset(rights), GENERAL))


_BROADCAST, _NETWORK = "broadcasting", "network-transmission"
_BY_RIGHTS: Mapping[frozenset[tuple[str, bool]], str] = {
    frozenset({(_BROADCAST, False)}): EXCLUSIVE,
    frozenset({(_BROADCAST, True)}): NON_EXCLUSIVE,
    frozenset({(_NETWORK, False)}): NETWORK,
    frozenset({(_NETWORK, True)}): NETWORK,
    frozenset({(_NETWORK, False), (_NETWORK, True)}): NETWORK,
}


def priced(template: Template) -> list[str]:
    """Return the ways of reckoning a price that the template has a clause for."""
    return [model for model in pricing.MODELS if model in template.fees]
