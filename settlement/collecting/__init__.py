"""Where a wire goes (收款账户): which account collects, which reference names the money."""
