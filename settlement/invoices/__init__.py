"""Invoices: what a buyer owes."""
