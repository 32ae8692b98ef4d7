"""The transparency log."""

from fastapi import APIRouter

router = APIRouter(tags=["log"])
