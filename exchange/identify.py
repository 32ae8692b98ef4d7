"""What a text is: the identifier it is or was meant to be, and how to put it right."""

from dataclasses import asdict, dataclass
from typing import Any

from contracts.works import identifiers
from contracts.works.forms import FORMS, Form


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of a text; `kind` is None when nothing tells what it was meant to be."""

    text: str
    kind: str | None
    good: bool
    canonical: str | None
    parts: dict[str, str]
    doubts: list[identifiers.Doubt]

    @property
    def form(self) -> Form | None:
        """The form of its kind."""
        return None if self.kind is None else FORMS[self.kind]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, with the names of the kind."""
        names = {
            "name_zh": self.form and self.form.name_zh,
            "name_en": self.form and self.form.name_en,
        }
        return {**asdict(self), **names}


def tell(text: str) -> Told:
    """Return what the text is, or was meant to be, and what is wrong with it."""
    kind = identifiers.meant(text)
    if kind is None:
        return Told(text, None, False, None, {}, [])
    found, doubts = identifiers.recognise(text), identifiers.inspect(kind, text)
    if found is None:
        return Told(text, kind, False, None, {}, doubts)
    return Told(text, kind, True, found.canonical, dict(found.groups), doubts)
