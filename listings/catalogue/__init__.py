"""The catalogue (挂牌): what is for sale and on which terms."""
