"""The transparency log: leaves, proofs, checkpoints."""
