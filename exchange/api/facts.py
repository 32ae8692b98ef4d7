"""Facts, and the live feed."""

from fastapi import APIRouter

router = APIRouter(tags=["facts"])
