"""Letters of guarantee (保函): offered for a deposit, accepted by staff, released or demanded."""
