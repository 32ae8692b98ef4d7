"""ODRL 2.2: grants and deals as Agreements, and foreign policies compared with them."""
