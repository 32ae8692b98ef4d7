"""Parties and their signing keys."""

from fastapi import APIRouter

router = APIRouter(tags=["parties"])
