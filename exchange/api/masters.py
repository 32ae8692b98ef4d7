"""Masters: resumable upload (tus 1.0) and examination."""

from fastapi import APIRouter

router = APIRouter(tags=["masters"])
