"""Remitting withheld taxes to the tax authority (解缴): by two people, each tax once."""
