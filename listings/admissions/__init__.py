"""Admissions (准入): who may bid in an auction, under which number, for how much."""
