"""Where payees are paid at a bank (收款账户): declared by them, verified by two people."""
