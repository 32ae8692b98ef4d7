"""Package auctions (组合竞价): cells of rights, who gets which, what they pay, and the proof."""
