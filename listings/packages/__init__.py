"""Packages: the further files of a work, and whole IMF packages (SMPTE ST 2067-2)."""
