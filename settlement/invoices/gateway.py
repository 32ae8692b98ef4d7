"""The form of invoices and red letters."""

from pathlib import Path

from contracts.deals.gateway import Form

INVOICE = Form(Path(__file__).parent / "forms" / "invoice-1.typ", attached="invoice.json")
