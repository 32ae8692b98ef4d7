"""Avails: offers of rights as MovieLabs writes them, in workbooks and XML, both ways."""
