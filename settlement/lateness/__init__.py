"""Payment that is late (逾期付款): interest, demands for payment, and default."""
