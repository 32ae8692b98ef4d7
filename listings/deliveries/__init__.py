"""Handing over the master (母带交付): content against payment, and who is right if not."""
