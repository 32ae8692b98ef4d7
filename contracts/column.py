"""Columns that many tables have: instants, days, amounts, currencies, bytes.

A column belongs to one table, so each of these makes a new one.
"""

from datetime import date, datetime

from sqlalchemy import BigInteger, Column, Date, DateTime, LargeBinary, String


def instant(*, nullable: bool = False) -> Column[datetime]:
    """Make a column of instants, in UTC."""
    return Column(DateTime(timezone=True), nullable=nullable)


def day(*, nullable: bool = False) -> Column[date]:
    """Make a column of days."""
    return Column(Date, nullable=nullable)


def minor(*, nullable: bool = False) -> Column[int]:
    """Make a column of amounts in minor units; the row's currency says which."""
    return Column(BigInteger, nullable=nullable)


def currency() -> Column[str]:
    """Make a column of currencies (ISO 4217)."""
    return Column(String(3), nullable=False)


def octets(*, nullable: bool = False) -> Column[bytes]:
    """Make a column of bytes: a content, a hash, a signature."""
    return Column(LargeBinary, nullable=nullable)
