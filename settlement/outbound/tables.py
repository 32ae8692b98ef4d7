"""Rows of outbound instructions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from contracts import column
from settlement.outbound.rules import Intent


class Outbound(SQLModel, table=True):
    """An instruction to a payment provider: committed first, called afterwards, done once."""

    __tablename__ = "outbound"
    __table_args__ = (
        CheckConstraint(
            "op IN ('payment_intent.create', 'account.create', 'transfer.create', "
            "'refund.create', 'transfer.reverse', 'payout.create', 'payment_intent.hold', "
            "'payment_intent.confirm', 'payment_intent.capture', 'payment_intent.cancel')",
            name="outbound_op_is_known",
        ),
        CheckConstraint(
            "state IN ('intent', 'sent', 'unknown', 'done', 'failed')",
            name="outbound_state_is_known",
        ),
        CheckConstraint(
            "(state = 'done') = (provider_id IS NOT NULL)", name="outbound_done_has_an_object"
        ),
        CheckConstraint("state <> 'unknown' OR ever_unknown", name="outbound_doubt_is_remembered"),
        CheckConstraint("attempt >= 1 AND tries >= 0", name="outbound_counts"),
        CheckConstraint("payload_sha256 ~ '^[0-9a-f]{64}$'", name="outbound_payload_sha256_is_hex"),
        Index(
            "ix_outbound_due",
            "next_at",
            postgresql_where=text("state IN ('intent', 'sent', 'unknown')"),
        ),
    )

    id: UUID = Field(primary_key=True)
    op: str
    object_key: str = Field(unique=True)
    object_id: UUID
    payload: bytes = Field(sa_column=column.octets())
    payload_sha256: str
    state: str
    attempt: int
    idem_key: str = Field(unique=True)
    tries: int
    ever_unknown: bool
    first_sent_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    last_sent_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    next_at: datetime = Field(sa_column=column.instant())
    provider_id: str | None = Field(default=None, unique=True)
    fault: str | None = None
    created_at: datetime = Field(sa_column=column.instant())
    done_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))

    def intent(self) -> Intent:
        """The value that the rules know."""
        return Intent(
            op=self.op,
            state=self.state,
            attempt=self.attempt,
            tries=self.tries,
            ever_unknown=self.ever_unknown,
            first_sent_at=self.first_sent_at,
            last_sent_at=self.last_sent_at,
            next_at=self.next_at,
        )

    def stand(self, intent: Intent) -> None:
        """Take over how the rules say the instruction stands."""
        self.state, self.attempt, self.tries = intent.state, intent.attempt, intent.tries
        self.ever_unknown, self.next_at = intent.ever_unknown, intent.next_at
        self.first_sent_at, self.last_sent_at = intent.first_sent_at, intent.last_sent_at
