"""Agreements between the exchange and one party, signed with the party's own key."""
