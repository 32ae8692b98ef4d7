"""Screeners (审看样片): the proxy of a master with its viewer's name burnt in, for a while."""
