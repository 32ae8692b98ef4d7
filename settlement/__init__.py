"""The money: ledger, fees, invoices, payouts, Stripe."""
