"""Royalties: what a licensee reports, what is earned of it, and what is still to be paid."""
