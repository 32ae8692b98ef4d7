"""Offers (要约): private negotiation between one licensor and one licensee, in versions."""
