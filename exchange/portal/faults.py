"""What is wrong with a field of a form, in words: its label, and the rule that it breaks."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from exchange.portal.language import Language, mark

HERE = Path(__file__).parent
TEMPLATES = (HERE / "templates", HERE.parent / "console" / "templates")
# By pydantic's type of error; `limit` is the bound that was broken.
RULES: Mapping[str, str] = {
    "missing": mark("is missing"),
    "greater_than": mark("must be more than %(limit)s"),
    "greater_than_equal": mark("must be at least %(limit)s"),
    "less_than": mark("must be less than %(limit)s"),
    "less_than_equal": mark("must be at most %(limit)s"),
    "string_too_short": mark("must have at least %(limit)s characters"),
    "string_too_long": mark("must have at most %(limit)s characters"),
    "too_short": mark("must name at least %(limit)s"),
    "too_long": mark("must name at most %(limit)s"),
    "string_pattern_mismatch": mark("is not written as it has to be"),
    "string_type": mark("must be a text"),
    "uuid_parsing": mark("is not an id"),
    "uuid_type": mark("is not an id"),
    "int_parsing": mark("is not a whole number"),
    "int_type": mark("is not a whole number"),
    "decimal_parsing": mark("is not a number"),
    "date_from_datetime_parsing": mark("is not a day"),
    "date_parsing": mark("is not a day"),
    "datetime_from_date_parsing": mark("is not a time"),
    "datetime_parsing": mark("is not a time"),
    "timezone_aware": mark("needs a time zone"),
    "literal_error": mark("is not one of those to choose from"),
    "enum": mark("is not one of those to choose from"),
    "union_tag_invalid": mark("is not one of those to choose from"),
    "extra_forbidden": mark("is not asked for here"),
}
NO_ACCOUNT = mark("no account whose code ends in a currency, like commission:CNY")
# What the readers of forms say themselves; each is the msgid of its translation.
OWN = (
    mark("too long"),
    mark("not a text"),
    mark("not an id"),
    mark("not a whole number"),
    mark("not a day"),
    mark("not a month"),
    mark("not a time"),
    mark("not an amount"),
    mark("not a percentage"),
    mark("not percentages and days like 30/5, 70/180"),
    mark("not a currency of the exchange"),
)
_BOUNDS = ("gt", "ge", "lt", "le", "min_length", "max_length")
_LABELS = (
    re.compile(r'parts\.(?:field|choose|tick)\("([a-z][a-z_]*)", _\("([^"]+)"\)'),
    re.compile(
        r'<label for="([a-z][a-z_]*)[^"]*">\{% trans %\}([^{]+)\{% endtrans %\}(?=</label>| <span)'
    ),
)


def errors(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return pydantic's errors as a refusal carries them: field, rule, its type and its bound."""
    told = []
    for item in found:
        bounds = item.get("ctx") or {}
        limit = next((bounds[name] for name in _BOUNDS if name in bounds), None)
        field = ".".join(str(part) for part in item["loc"])
        told.append({"field": field, "rule": item["msg"], "type": item["type"], "limit": limit})
    return told


def said(error: Mapping[str, Any], spoken: Language) -> tuple[str, str]:
    """Return the label of the field and the rule that it breaks."""
    rule = RULES.get(str(error.get("type")))
    text = str(error.get("rule", "")) if rule is None else rule
    limit = error.get("limit")
    words = spoken.say(text)
    if rule is not None:
        words = words % {"limit": spoken.number(limit) if isinstance(limit, int) else limit}
    return label(str(error.get("field", "")), spoken), words


def label(field: str, spoken: Language) -> str:
    """Return what a field is called on the pages; its own name where no page has it."""
    names = [part for part in field.split(".") if not part.isdigit()]
    name = names[-1] if names else field
    number = re.search(r"-(\d+)$", name)
    plain = re.sub(r"-\d+$", "", name)
    known = labels()
    found = next(
        (known[one] for one in (plain, *_without_unit(plain), f"{plain}_id") if one in known), None
    )
    text = plain.replace("_", " ") if found is None else spoken.say(found)
    return text if number is None else f"{text} {number[1]}"


@cache
def labels() -> Mapping[str, str]:
    """Return by a field's name the label that most forms give it, as the templates say."""
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for folder in TEMPLATES:
        for path in sorted(folder.glob("*.html")):
            text = path.read_text(encoding="utf-8")
            for pattern in _LABELS:
                for name, words in pattern.findall(text):
                    told[name.rstrip("_")][words] += 1
    return {name: words.most_common(1)[0][0] for name, words in told.items()}


def _without_unit(name: str) -> list[str]:
    """Return a field's name without its unit: a form asks for the amount, not for minor units."""
    return [name.removesuffix(unit) for unit in ("_minor", "_bp", "_id") if name.endswith(unit)]
