"""The methods of sale, one file each: terms, what is acceptable, who wins and pays what (pure)."""
