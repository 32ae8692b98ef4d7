"""The words and the register: money, windows, parties, works, rights, titles, deals, facts, log."""
