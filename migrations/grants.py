"""What the application's role may do: it owns nothing and cannot rewrite what must stay."""

from sqlalchemy import Connection, text

ROLE = "exchange_app"
# Rows that are only ever added; triggers refuse the rest even to the owner.
APPEND_ONLY = (
    "fact", "log_entry", "log_node", "log_checkpoint", "ledger_account", "ledger_journal",
    "ledger_posting", "ledger_hold", "ledger_hold_end", "ledger_quote", "ledger_exchange",
    "ledger_account_mark", "ledger_close", "settlement_line", "reaction_done", "deal_document",
    "offer_version", "bid", "paddle", "encumbrance_consent", "run_rule", "telecast",
    "telecast_cancelled", "auction_event", "refused_bid", "outage", "disclosure_step",
    "sealed_key", "sealed_acknowledgement", "sealed_share", "sealed_reveal", "revocation_list",
    "bank_file", "bank_statement", "bank_entry", "recon_side", "usage_report",
    "royalty_statement", "agreement_document",
    "fapiao_file", "withheld_return",
)  # fmt: skip
# Moved by triggers alone (SECURITY DEFINER functions).
READ_ONLY = ("ledger_balance", "ledger_currency", "ledger_hold_open", "ledger_pending")

# What a hand may say of a journal and of its lines. The rest is said by the verbs alone, and told
# from them where it is absent: the triggers ask for no more than that.
BY_HAND = {
    "ledger_journal": (
        "idem_key", "request_hash", "kind", "actor", "deal_id", "reversal_of", "lines",
        "effective_at", "reason", "occurred_at",
    ),
    "ledger_posting": ("journal_id", "line", "account_id", "currency", "amount_minor"),
}  # fmt: skip


def ensure_role(connection: Connection) -> None:
    """Create the role once per server; two migrations at the same time are fine."""
    connection.execute(
        text(
            f"DO $$ BEGIN CREATE ROLE {ROLE} NOLOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    )


def apply(connection: Connection) -> None:
    """Grant the role its privileges on everything in the schema; idempotent."""
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {ROLE}"))
    connection.execute(
        text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}")
    )
    connection.execute(text(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {ROLE}"))
    connection.execute(text(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {ROLE}"))
    present = set(
        connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        .scalars()
        .all()
    )
    for table in present.intersection(APPEND_ONLY):
        connection.execute(text(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {ROLE}"))
    for table in present.intersection(READ_ONLY):
        connection.execute(text(f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM {ROLE}"))
    for table in present.intersection(BY_HAND):
        there = connection.execute(
            text("SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:table)"),
            {"table": table},
        ).scalars()  # an earlier revision has fewer
        columns = ", ".join(sorted(set(BY_HAND[table]).intersection(there)))
        connection.execute(text(f"REVOKE INSERT ON {table} FROM {ROLE}"))
        connection.execute(text(f"GRANT INSERT ({columns}) ON {table} TO {ROLE}"))
