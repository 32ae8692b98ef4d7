"""Masters (母版): the UHD file, its technical record and its fingerprint."""
