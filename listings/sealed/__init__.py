"""Sealed bids (密封报价): commitments, ciphertexts, and the key that two of three holders open."""
