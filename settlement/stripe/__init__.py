"""Stripe: outbound instructions, inbound events, one gateway."""
