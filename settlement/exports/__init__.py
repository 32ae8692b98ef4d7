"""Exports: settlements, payouts, invoices and journals as tables of text, row by row."""
