"""API keys."""

from fastapi import APIRouter

router = APIRouter(tags=["keys"])
