"""Deposits on a card and letters of guarantee: they count once, and are no money until drawn on."""

import sqlalchemy as sa
from alembic import op

revision = "0066"
down_revision = "0069"

INSTANT = sa.DateTime(timezone=True)
OF_DEPOSIT = (["auction_id", "party_id"], ["deposit.auction_id", "deposit.party_id"])
MODES = "ARRAY['wire', 'charge', 'card_hold', 'guarantee']::varchar[]"
DEPOSIT = {
    "modes_are_known": f"cardinality(modes) >= 1 AND modes <@ {MODES}",
    "pledge_counts_once": "pledged_minor IN (0, required_minor)",
    "pledged_until_when": "pledged_until IS NULL OR pledged_minor > 0",
    "pledge_margins": "card_margin_h >= 0 AND guarantee_days >= 0",
}
MOVEMENT = {
    "kind_is_known": (
        "kind IN ('return', 'forfeit', 'distribute')",
        "kind IN ('return', 'forfeit', 'distribute', 'draw')",
    ),
    "state_is_known": (
        "state IN ('prepared', 'approved', 'refused', 'done')",
        "state IN ('prepared', 'approved', 'refused', 'done', 'failed')",
    ),
}
OPS = (
    "op IN ('payment_intent.create', 'account.create', 'transfer.create', 'refund.create', "
    "'transfer.reverse', 'payout.create')",
    "op IN ('payment_intent.create', 'account.create', 'transfer.create', 'refund.create', "
    "'transfer.reverse', 'payout.create', 'payment_intent.hold', 'payment_intent.confirm', "
    "'payment_intent.capture', 'payment_intent.cancel')",
)
CARD_HOLD = {
    "mode_is_known": "mode IN ('card_hold', 'charge')",
    "state_is_known": (
        "state IN ('requested', 'ready', 'held', 'drawing', 'drawn', 'releasing', 'released', "
        "'expired', 'failed')"
    ),
    "currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    "amounts": (
        "amount_minor >= 1 AND captured_minor BETWEEN 0 AND amount_minor "
        "AND returned_minor BETWEEN 0 AND captured_minor"
    ),
    "drawn_is_paid": "(state = 'drawn') = (captured_minor > 0)",
    "lasts_until": "state NOT IN ('held', 'drawing') OR capture_before IS NOT NULL",
    "is_needed_until": "mode = 'charge' OR needed_until IS NOT NULL",
    "failed_why": "(state = 'failed') <= (fault IS NOT NULL)",
    "checks": "checks >= 0",
}
GUARANTEE = {
    "form_is_known": "form IN ('letter-of-guarantee', 'standby-letter-of-credit')",
    "state_is_known": (
        "state IN ('offered', 'accepted', 'refused', 'released', 'demanded', 'paid', 'expired')"
    ),
    "for_whom": "beneficiary IN ('exchange', 'seller')",
    "currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    "amounts": "amount_minor >= 1 AND demanded_minor BETWEEN 0 AND amount_minor",
    "issuer_has_a_code": (
        "(issuer_bic IS NOT NULL OR issuer_cnaps IS NOT NULL) "
        "AND coalesce(issuer_bic ~ '^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$', true) "
        "AND coalesce(issuer_cnaps ~ '^[0-9]{12}$', true)"
    ),
    "texts": (
        "char_length(issuer) BETWEEN 1 AND 200 AND char_length(number) BETWEEN 1 AND 100 "
        "AND char_length(demand_terms) BETWEEN 1 AND 2000"
    ),
    "has_a_scan": "octet_length(scan) BETWEEN 5 AND 700000",
    "scan_is_what_was_hashed": "scan_sha256 = encode(sha256(scan), 'hex')",
    "sha256_is_hex": "content_sha256 ~ '^[0-9a-f]{64}$'",
    "needs_two_people": "offered_by <> decided_by",
    "decided_by_whom_and_when": (
        "(decided_by IS NULL) = (decided_at IS NULL) "
        "AND (state NOT IN ('accepted', 'refused', 'demanded', 'paid') OR decided_by IS NOT NULL)"
    ),
    "refused_why": "(state = 'refused') = (refused_reason IS NOT NULL)",
    "demanded_by_two_people": (
        "(state IN ('demanded', 'paid')) = (demanded_minor > 0) "
        "AND (demanded_minor > 0) = (movement_id IS NOT NULL)"
    ),
    "ended_when": "(state IN ('released', 'paid', 'expired', 'refused')) = (ended_at IS NOT NULL)",
}
# What the terms say stays; the way back is the function as migration 0025 made it.
KEEPS = """
CREATE OR REPLACE FUNCTION deposit_keeps_its_terms() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$ BEGIN
  IF (OLD.auction_id, OLD.party_id, OLD.seller_id, OLD.currency, OLD.required_minor, OLD.until,
      OLD.forfeits, OLD.required_at{old})
    IS DISTINCT FROM
     (NEW.auction_id, NEW.party_id, NEW.seller_id, NEW.currency, NEW.required_minor, NEW.until,
      NEW.forfeits, NEW.required_at{new})
    OR NEW.paid_in_minor < OLD.paid_in_minor OR NEW.released_minor < OLD.released_minor
    OR NEW.applied_minor < OLD.applied_minor OR NEW.forfeited_minor < OLD.forfeited_minor
  THEN
    RAISE EXCEPTION 'deposit of % keeps its terms and its sums', OLD.party_id
      USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""
TERMS = ("modes", "ends_by", "card_margin_h", "guarantee_days")
OLD, NEW = ("".join(f", {row}.{name}" for name in TERMS) for row in ("OLD", "NEW"))
DECIDED = """
CREATE OR REPLACE FUNCTION deposit_movement_is_decided_once() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$ BEGIN
  IF to_jsonb(OLD) - ARRAY['state', 'decided_by', 'decided_at', 'refused_reason', 'claim_minor',
      'reference']
    IS DISTINCT FROM to_jsonb(NEW) - ARRAY['state', 'decided_by', 'decided_at', 'refused_reason',
      'claim_minor', 'reference']
    OR OLD.state IN ({ended})
    OR OLD.state = 'approved' AND ({not_after} OR OLD.decided_by <> NEW.decided_by)
  THEN
    RAISE EXCEPTION 'movement % is decided once', OLD.id USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""
DECIDED_BEFORE = DECIDED.format(ended="'refused', 'done'", not_after="NEW.state <> 'done'")
DECIDED_NOW = DECIDED.format(
    ended="'refused', 'done', 'failed'",
    not_after="NEW.state <> 'done' AND (NEW.state <> 'failed' OR OLD.kind <> 'draw')",
)
# Runs at commit: what counts as the deposit is one card that holds, or one accepted letter.
PLEDGED = """
CREATE FUNCTION deposit_matches_pledges() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE pledged bigint; standing bigint;
BEGIN
  SELECT pledged_minor INTO pledged FROM deposit
    WHERE auction_id = NEW.auction_id AND party_id = NEW.party_id;
  SELECT (SELECT count(*) FROM card_hold WHERE auction_id = NEW.auction_id
      AND party_id = NEW.party_id AND state IN ('held', 'drawing'))
    + (SELECT count(*) FROM guarantee WHERE auction_id = NEW.auction_id
      AND party_id = NEW.party_id AND state IN ('accepted', 'demanded')) INTO standing;
  IF standing > 1 OR (pledged > 0) <> (standing = 1) THEN
    RAISE EXCEPTION 'deposit of % counts % pledged, % stand', NEW.party_id, pledged, standing
      USING errcode = '23514', constraint = 'deposit_matches_pledges';
  END IF;
  RETURN NULL;
END $$
"""
STAYS = """
CREATE FUNCTION {table}_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$ BEGIN
  IF to_jsonb(OLD) - ARRAY[{may}] IS DISTINCT FROM to_jsonb(NEW) - ARRAY[{may}]
    OR OLD.state IN ({ended}) AND OLD.state <> NEW.state
  THEN
    RAISE EXCEPTION '{table} % stays what it was', OLD.id
      USING errcode = '23514', constraint = '{table}_stays';
  END IF;
  RETURN NEW;
END $$
"""
MAY = {
    "card_hold": (
        "'state', 'fault', 'capture_before', 'provider_id', 'client_secret', 'movement_id', "
        "'captured_minor', 'returned_minor', 'held_at', 'ended_at', 'checks', 'next_check_at'",
        "'drawn'",
    ),
    "guarantee": (
        "'state', 'decided_by', 'decided_at', 'refused_reason', 'demanded_minor', 'movement_id', "
        "'paid_reference', 'ended_by', 'ended_at'",
        "'refused', 'released', 'paid', 'expired'",
    ),
}
CAUSE = """
CREATE OR REPLACE FUNCTION outbound_has_a_cause() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE asked jsonb; is_caused boolean;
BEGIN
  asked := convert_from(new.payload, 'UTF8')::jsonb;
  IF new.op = 'transfer.create' THEN
    -- outbound_is_approved has compared it with the payout's transfers.
    is_caused := EXISTS (SELECT FROM payout_transfer t
      WHERE t.payout_id = new.object_id AND t.intent_id = new.id);
  ELSIF new.op = 'refund.create' THEN
    is_caused := EXISTS (SELECT FROM refund r
      JOIN payment p ON p.id = r.payment_id
      JOIN approval a ON a.object_type = 'refund' AND a.object_id = r.id
        AND a.object_hash = r.content_sha256 AND a.outcome = 'approved'
        AND a.maker_id = r.prepared_by AND a.checker_id = r.decided_by
        AND a.used_at IS NOT NULL
      WHERE r.id = new.object_id AND r.intent_id = new.id
        AND new.object_key = 'refund:' || r.id AND r.amount_minor::text = asked ->> 'amount'
        AND p.provider_id = asked ->> 'payment_intent'){returned};
  ELSIF new.op = 'transfer.reverse' THEN
    is_caused := EXISTS (SELECT FROM recovery r
      JOIN payout y ON y.deal_id = r.deal_id
      JOIN payout_transfer t ON t.payout_id = y.id AND t.party_id = r.payee_id
      WHERE r.id = new.object_id AND r.intent_id = new.id
        AND new.object_key = 'reversal:' || r.id AND r.amount_minor::text = asked ->> 'amount'
        AND t.provider_id = asked ->> 'transfer');{captured}
  ELSE
    RETURN NULL;  -- a request to pay, or an account: no money of ours moves
  END IF;
  IF NOT is_caused THEN
    RAISE EXCEPTION 'instruction % moves money that nobody approved to move', new.id
      USING errcode = '23514', constraint = 'outbound_has_a_cause';
  END IF;
  RETURN NULL;
END $$
"""
RETURNED = """
      OR EXISTS (SELECT FROM deposit_movement m
      JOIN card_hold h ON h.auction_id = m.auction_id AND h.party_id = m.party_id
        AND h.state = 'drawn' AND h.provider_id = asked ->> 'payment_intent'
      JOIN approval a ON a.object_type = 'deposit-movement' AND a.object_id = m.id
        AND a.object_hash = m.content_sha256 AND a.outcome = 'approved'
        AND a.maker_id = m.prepared_by AND a.checker_id = m.decided_by
        AND a.used_at IS NOT NULL
      WHERE m.id = new.object_id AND m.kind = 'return'
        AND new.object_key = 'deposit-return:' || m.id
        AND m.amount_minor::text = asked ->> 'amount')"""
CAPTURED = """
  ELSIF new.op = 'payment_intent.capture' THEN
    -- Two people decided to draw on it, or its bidder is kept and draws its own deposit in.
    is_caused := EXISTS (SELECT FROM card_hold h
      JOIN deposit d ON d.auction_id = h.auction_id AND d.party_id = h.party_id
      LEFT JOIN deposit_movement m ON m.id = h.movement_id AND m.kind = 'draw'
        AND m.state IN ('approved', 'done')
      WHERE h.id = new.object_id AND h.state IN ('drawing', 'drawn')
        AND h.provider_id = asked ->> 'payment_intent'
        AND new.object_key = concat_ws(':', 'hold', h.id, 'capture')
        AND coalesce(m.amount_minor, h.amount_minor)::text = asked ->> 'amount_to_capture'
        AND (m.id IS NOT NULL OR h.movement_id IS NULL AND d.free_at IS NULL));"""

CAUSE_NOW = CAUSE.format(returned=RETURNED, captured=CAPTURED)


def upgrade() -> None:
    """Add what a deposit says of its modes, then cards and letters, then what holds of them."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _columns()
    for name, rule in DEPOSIT.items():
        op.execute(f"ALTER TABLE deposit ADD CONSTRAINT deposit_{name} CHECK ({rule}) NOT VALID")
    for name, (_, rule) in MOVEMENT.items():
        _replace("deposit_movement", f"deposit_movement_{name}", rule)
    _replace("outbound", "outbound_op_is_known", OPS[1])
    _cards()
    _guarantees()
    for function in (
        KEEPS.format(old=OLD, new=NEW),
        DECIDED_NOW,
        PLEDGED,
        CAUSE_NOW,
        *(STAYS.format(table=table, may=may, ended=ended) for table, (may, ended) in MAY.items()),
    ):
        op.execute(function)
    for table in ("deposit", "card_hold", "guarantee"):
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {table}_pledge_counts AFTER INSERT OR UPDATE ON {table} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION deposit_matches_pledges()"
        )
    for table in MAY:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION {table}_stays()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_is_kept BEFORE DELETE ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    """Take it away again; instructions and movements of the new kinds must be gone before."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(KEEPS.format(old="", new=""))
    op.execute(DECIDED_BEFORE)
    op.execute(CAUSE.format(returned="", captured=""))
    op.execute("DROP TRIGGER deposit_pledge_counts ON deposit")
    for table in ("guarantee", "card_hold"):
        op.drop_table(table)
        op.execute(f"DROP FUNCTION {table}_stays()")
    op.execute("DROP FUNCTION deposit_matches_pledges()")
    _replace("outbound", "outbound_op_is_known", OPS[0])
    for name, (rule, _) in MOVEMENT.items():
        _replace("deposit_movement", f"deposit_movement_{name}", rule)
    for name in DEPOSIT:
        op.drop_constraint(f"deposit_{name}", "deposit")
    for name in (*TERMS, "pledged_minor", "pledged_until"):
        op.drop_column("deposit", name)


def _replace(table: str, name: str, rule: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- another of the same name follows at once\n"
        f"ALTER TABLE {table} DROP CONSTRAINT {name}"
    )
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")


def _columns() -> None:
    op.add_column(
        "deposit",
        sa.Column(
            "modes",
            sa.ARRAY(sa.String()),
            nullable=False,
            server_default=sa.text("ARRAY['wire']::varchar[]"),
        ),
    )
    op.add_column("deposit", sa.Column("ends_by", INSTANT, nullable=True))
    for name in ("card_margin_h", "guarantee_days"):
        op.add_column(
            "deposit",
            sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0")),
        )
    op.add_column(
        "deposit",
        sa.Column("pledged_minor", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    op.add_column("deposit", sa.Column("pledged_until", INSTANT, nullable=True))


def _cards() -> None:
    op.create_table(
        "card_hold",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("auction_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("amount_minor", "captured_minor", "returned_minor")
        ),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("fault", sa.String(), nullable=True),
        sa.Column("needed_until", INSTANT, nullable=True),
        sa.Column("capture_before", INSTANT, nullable=True),
        sa.Column("payment_method", sa.String(), nullable=True),
        sa.Column("provider_id", sa.String(), nullable=True, unique=True),
        sa.Column("client_secret", sa.String(), nullable=True),
        sa.Column("movement_id", sa.Uuid(), sa.ForeignKey("deposit_movement.id"), nullable=True),
        sa.Column("requested_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("held_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("next_check_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(*OF_DEPOSIT, name="card_hold_of_deposit"),
        *(sa.CheckConstraint(rule, name=f"card_hold_{name}") for name, rule in CARD_HOLD.items()),
    )
    whose = ["auction_id", "party_id"]
    op.create_index(
        "ix_card_hold_one_live",
        "card_hold",
        whose,
        unique=True,
        postgresql_where=sa.text("state IN ('requested', 'ready', 'held', 'drawing')"),
    )
    op.create_index("ix_card_hold_deposit", "card_hold", whose)
    op.create_index(
        "ix_card_hold_unheard",
        "card_hold",
        ["next_check_at"],
        postgresql_where=sa.text("state IN ('ready', 'held', 'drawing', 'releasing')"),
    )


def _guarantees() -> None:
    op.create_table(
        "guarantee",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("auction_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("form", "issuer")),
        *(sa.Column(name, sa.String(), nullable=True) for name in ("issuer_bic", "issuer_cnaps")),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("demand_terms", "beneficiary")),
        sa.Column("scan", sa.LargeBinary(), nullable=False),
        sa.Column("scan_sha256", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("offered_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("offered_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("refused_reason", sa.String(), nullable=True),
        sa.Column("demanded_minor", sa.BigInteger(), nullable=False),
        sa.Column("movement_id", sa.Uuid(), sa.ForeignKey("deposit_movement.id"), nullable=True),
        sa.Column("paid_reference", sa.String(), nullable=True),
        sa.Column("ended_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(*OF_DEPOSIT, name="guarantee_of_deposit"),
        *(sa.CheckConstraint(rule, name=f"guarantee_{name}") for name, rule in GUARANTEE.items()),
    )
    whose = ["auction_id", "party_id"]
    op.create_index(
        "ix_guarantee_one_live",
        "guarantee",
        whose,
        unique=True,
        postgresql_where=sa.text("state IN ('offered', 'accepted', 'demanded')"),
    )
    op.create_index("ix_guarantee_deposit", "guarantee", whose)
