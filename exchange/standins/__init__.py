"""Honest local stand-ins for outside services: own processes, never imported by the product."""
