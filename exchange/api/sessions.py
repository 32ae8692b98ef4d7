"""Signing in and out."""

from fastapi import APIRouter

router = APIRouter(tags=["sessions"])
