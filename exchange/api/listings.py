"""Listings (挂牌)."""

from fastapi import APIRouter

router = APIRouter(tags=["listings"])
