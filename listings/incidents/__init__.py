"""Incidents (竞价异常): pausing, going on, bidding anew, voiding, and winners who default."""
