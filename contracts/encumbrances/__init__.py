"""Encumbrances (负担): promises and charges on a work that limit what may be granted; events."""
