"""Recoveries (追回): what a refund or a lost dispute takes back from those who were paid."""
