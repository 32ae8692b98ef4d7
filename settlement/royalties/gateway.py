"""The form of royalty statements."""

from pathlib import Path

from contracts.deals.gateway import Form

STATEMENT = Form(Path(__file__).parent / "forms" / "statement-1.typ", attached="statement.json")
