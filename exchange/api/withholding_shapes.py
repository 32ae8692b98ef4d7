"""The shapes of withheld taxes and tax residences on the wire."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field

from exchange.api.decisions import EXAMPLE_HASH, Sha256
from exchange.api.deps import Shape
from settlement.residences import rules as residence_rules
from settlement.residences.rules import Residence, Treaty

Tax = Literal["withheld-income", "withheld-vat"]
Country = Annotated[str, Field(pattern="^[A-Z]{2}$", description="ISO 3166-1.")]


class TreatyIn(Shape):
    """What a claim to a treaty rests on; its first and its last day are both in it."""

    certificate_no: Annotated[
        str, Field(min_length=1, max_length=residence_rules.LONGEST_NUMBER, pattern=r"\S")
    ]
    evidence: Annotated[
        str,
        Field(
            min_length=1, max_length=residence_rules.LONGEST_EVIDENCE, pattern=r"\S",
            description="What shows the beneficial owner (受益所有人).",
        ),
    ]  # fmt: skip
    evidence_sha256: Annotated[Sha256, Field(description="Of the document that shows it.")]
    valid_from: date
    valid_to: date


class TaxResidenceIn(Shape):
    """Where a party is resident for tax from a day on, and the treaty that it claims."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "country": "HK",
                    "since": "2026-01-01",
                    "treaty": {
                        "certificate_no": "HK-2026-0042",
                        "evidence": "受益所有人声明 (declaration of beneficial ownership)",
                        "evidence_sha256": EXAMPLE_HASH,
                        "valid_from": "2026-01-01",
                        "valid_to": "2026-12-31",
                    },
                }
            ]
        }
    )

    country: Country
    since: date
    treaty: TreatyIn | None = None

    def residence(self) -> Residence:
        """The value that the rules know."""
        treaty = None if self.treaty is None else Treaty(**dict(self.treaty))
        return Residence(self.country, self.since, treaty)


class TaxResidenceOut(Shape):
    """A tax residence: `content_sha256` is over everything it says."""

    id: UUID
    party_id: UUID
    country: str
    since: date
    certificate_no: str | None
    evidence: str | None
    evidence_sha256: str | None
    valid_from: date | None
    valid_to: date | None
    state: Literal["prepared", "approved", "refused"]
    content_sha256: str
    prepared_by: UUID
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    reason: str | None


class TaxResidencePage(Shape):
    """A page of tax residences."""

    items: Sequence[TaxResidenceOut]
    next: UUID | None


class WithheldOut(Shape):
    """One tax withheld of what a payee was paid, by which row of the rules."""

    id: UUID
    payout_id: UUID
    party_id: UUID
    deal_id: Annotated[UUID, Field(description="The settlement.")]
    tax: Tax
    rule: str
    legal_basis: str
    rate_bp: int
    authority: str
    country: str
    certificate_no: str | None
    gross_minor: int
    amount_minor: int
    reversed_minor: Annotated[int, Field(description="Went back before it was remitted.")]
    claimed_minor: Annotated[int, Field(description="Went back after; the authority owes it.")]
    currency: str
    withheld_on: date
    period: str
    due_on: date
    remittance_id: UUID | None
    remittance_state: Literal["prepared", "approved", "paid"] | None
    receipt_no: Annotated[str | None, Field(description="完税凭证号码")]


class WithheldPage(Shape):
    """A page of withheld taxes."""

    items: Sequence[WithheldOut]
    next: UUID | None


class KeptOut(Shape):
    """One tax of one payee's gross."""

    tax: Tax
    rule: str
    legal_basis: str
    rate_bp: int
    amount_minor: int


class CutOut(Shape):
    """What a payee is owed, what is withheld of it, and what it is paid."""

    party_id: UUID
    country: str
    certificate_no: str | None
    gross_minor: int
    net_minor: int
    withheld: Sequence[KeptOut]


class WithholdingOut(Shape):
    """What is withheld of a settlement: as it was once it is approved, until then as it would be
    today."""

    deal_id: UUID
    currency: str
    is_final: bool
    payees: Sequence[CutOut]
