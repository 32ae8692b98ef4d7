"""Events from Stripe."""

from fastapi import APIRouter

router = APIRouter(tags=["stripe"])
