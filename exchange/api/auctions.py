"""Auctions and their bids."""

from fastapi import APIRouter

router = APIRouter(tags=["auctions"])
