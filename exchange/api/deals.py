"""Deals, signing and evidence."""

from fastapi import APIRouter

router = APIRouter(tags=["deals"])
