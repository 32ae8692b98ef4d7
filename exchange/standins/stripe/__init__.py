"""A stateful stand-in for the part of Stripe that the exchange uses, with its own books."""
