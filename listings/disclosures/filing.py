"""What a seller files for a disclosure, checked and in the form that is stored (pure).

Source: 企业国有资产交易监督管理办法 (32号令) arts. 11, 12, 15, 18 (decision, value, notice).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.parties.rules import clean_name
from listings.disclosures.rules import SUBJECTS, BadDisclosure, Notice

LONGEST_TEXT, LONGEST_SUMMARY = 200, 2000
_TEXTS = ("assessor", "assessment_no", "approving_body", "decision_no")


@dataclass(frozen=True, slots=True)
class Filing:
    """What is filed: the valuation and its filing number, the decision, the notice's own words.

    `consent` is the approving body's, for a floor below nine tenths of the assessed value: `body`,
    `number`, `given_on` and the SHA-256 of the document.
    """

    subject: str
    assessed_minor: int
    assessed_on: date
    texts: Mapping[str, str]
    extension_days: int | None
    previous: UUID | None
    consent: Mapping[str, str] | None

    def stored(self) -> dict[str, Any]:
        """Return what the row keeps besides its columns."""
        return {**self.texts, "consent": None if self.consent is None else dict(self.consent)}


def read(given: Mapping[str, Any]) -> Filing:
    """Return what was filed, cleaned.

    Raises:
        BadName: a text is empty, too long, or holds characters that cannot be seen.
        BadDisclosure: the subject is unknown.
    """
    if given["subject"] not in SUBJECTS:
        raise BadDisclosure("The subject is unknown.", field="subject")
    texts = {name: clean_name(given[name], field=name, most=LONGEST_TEXT) for name in _TEXTS}
    texts["summary"] = clean_name(given["summary"], field="summary", most=LONGEST_SUMMARY)
    consent = given.get("consent")
    return Filing(
        subject=given["subject"],
        assessed_minor=given["assessed_minor"],
        assessed_on=given["assessed_on"],
        texts=texts,
        extension_days=given.get("extension_days"),
        previous=given.get("previous"),
        consent=None if consent is None else _consent(consent),
    )


def notice(
    filing: Filing, *, sale: Mapping[str, Any], first_on: date | None, changed: bool
) -> Notice:
    """Return what the rules judge: the floor is that of the listing's sale."""
    return Notice(
        currency=sale["currency"],
        floor_minor=sale["floor_minor"],
        assessed_minor=filing.assessed_minor,
        assessed_on=filing.assessed_on,
        extension_days=filing.extension_days,
        first_on=first_on,
        changed=changed,
        consented=filing.consent is not None,
    )


def content_sha256(rights: list[dict[str, Any]], sale: Mapping[str, Any]) -> str:
    """Return the hash of what is disclosed: all of the listing but its times."""
    kept = {name: sale.get(name) for name in ("method", "preset", "currency", "floor_minor")}
    return canonical.sha256_hex(canonical.dumps({"rights": rights, "sale": kept}))


def _consent(given: Mapping[str, Any]) -> dict[str, str]:
    return {
        "body": clean_name(given["body"], field="consent.body", most=LONGEST_TEXT),
        "number": clean_name(given["number"], field="consent.number", most=LONGEST_TEXT),
        "given_on": given["given_on"].isoformat(),
        "document_sha256": given["document_sha256"],
    }
