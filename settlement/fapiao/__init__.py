"""Fapiao (发票): asked for, issued by whoever the tax authority lets, kept with their files."""
