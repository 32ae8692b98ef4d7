"""Tax residences decided: a country from a day on, and a treaty's benefit while it is shown (pure).

A party of which nothing is recorded resides where the exchange does. A residence holds until the
next one; the claim to a treaty ends with its own last day, and the general rate is back.

Source: 国家税务总局公告2019年第35号 (whoever claims a treaty keeps a certificate of residence and
what shows that it is the beneficial owner), by secondary texts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.refusal import InvalidContent, Kind, Refusal
from settlement.taxes.rules import HOME

PREPARED, APPROVED, REFUSED = "prepared", "approved", "refused"
COUNTRY = re.compile("[A-Z]{2}")
LONGEST_NUMBER, LONGEST_EVIDENCE = 64, 500


class TaxResidenceOpen(Refusal):
    """Another residence of this party waits for its decision."""

    kind, code = Kind.CONFLICT, "tax-residence-open"
    hint = "Decide the residence named in `residence` first."


@dataclass(frozen=True, slots=True)
class Treaty:
    """What a claim to a treaty rests on (享受协定待遇): first and last day are both in it.

    `certificate_no` is of the certificate of residence (税收居民身份证明), `evidence` says what
    shows the beneficial owner (受益所有人), and its document has this SHA-256.
    """

    certificate_no: str
    evidence: str
    evidence_sha256: str
    valid_from: date
    valid_to: date


@dataclass(frozen=True, slots=True)
class Residence:
    """Where a party is resident for tax from a day on."""

    country: str
    since: date
    treaty: Treaty | None = None

    def certificate_on(self, on: date) -> str | None:
        """The certificate by which a treaty may be claimed on a day, or None."""
        one = self.treaty
        return one.certificate_no if one and one.valid_from <= on <= one.valid_to else None


AT_HOME = Residence(HOME, date.min)


def check(said: Residence) -> None:
    """Check that a residence can be one.

    Raises:
        InvalidContent: no code of a country, a treaty at home, or days out of order.
    """
    if not COUNTRY.fullmatch(said.country):
        raise InvalidContent("A country has a code of two capitals.", field="country")
    if said.treaty is None:
        return
    if said.country == HOME:
        raise InvalidContent("Nobody at home claims a treaty.", field="treaty")
    if said.treaty.valid_to < said.treaty.valid_from:
        raise InvalidContent("A claim ends after it begins.", field="valid_to")


def content(residence_id: UUID, party_id: UUID, said: Residence) -> bytes:
    """Return the canonical bytes of what a decision on a residence is about."""
    treaty: dict[str, Any] | None = None
    if said.treaty is not None:
        treaty = {
            "certificate_no": said.treaty.certificate_no,
            "evidence": said.treaty.evidence,
            "evidence_sha256": said.treaty.evidence_sha256,
            "valid_from": said.treaty.valid_from.isoformat(),
            "valid_to": said.treaty.valid_to.isoformat(),
        }
    return canonical.dumps(
        {
            "residence": str(residence_id),
            "party": str(party_id),
            "country": said.country,
            "since": said.since.isoformat(),
            "treaty": treaty,
        }
    )


def in_force(known: Sequence[Residence], *, on: date) -> Residence:
    """Return the residence that holds on a day, of those approved in the order of their decisions.

    The one that began last holds; of two that began together, the one decided last.
    """
    begun = [one for one in known if one.since <= on]
    return max(reversed(begun), key=lambda one: one.since, default=AT_HOME)
