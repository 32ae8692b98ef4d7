"""Payouts, prepared and approved."""

from fastapi import APIRouter

router = APIRouter(tags=["payouts"])
