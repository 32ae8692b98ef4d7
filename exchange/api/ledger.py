"""The ledger's books."""

from fastapi import APIRouter

router = APIRouter(tags=["ledger"])
