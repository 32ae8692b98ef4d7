"""The form of withholding certificates."""

from pathlib import Path

from contracts.deals.gateway import Form

CERTIFICATE = Form(
    Path(__file__).parent / "forms" / "certificate-1.typ", attached="certificate.json"
)
