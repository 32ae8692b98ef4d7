"""Works and their owners."""

from fastapi import APIRouter

router = APIRouter(tags=["works"])
