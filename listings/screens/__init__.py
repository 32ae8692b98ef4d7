"""Screens (异常线索): what in past bidding looks like shills or rings, for people to look at."""
