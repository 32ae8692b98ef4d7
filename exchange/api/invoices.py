"""Invoices and payments."""

from fastapi import APIRouter

router = APIRouter(tags=["invoices"])
