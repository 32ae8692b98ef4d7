"""A bank's file, whichever it is: camt or MT940."""

from settlement.bank import camt, mt940, rules
from settlement.bank.rules import Statement


def read(raw: bytes) -> list[Statement]:
    """Return the statements of a file, each with balances that add up.

    Raises:
        StatementTooLarge: it has more than 32 MiB.
        StatementMalformed: it is no statement that can be read.
        StatementUnbalanced: opening balance and movements do not make the closing balance.
    """
    statements = parsed(raw)
    for statement in statements:
        rules.check_balance(statement)
    return statements


def parsed(raw: bytes) -> list[Statement]:
    """Return the statements of a file as they are, balanced or not.

    Raises:
        StatementTooLarge: it has more than 32 MiB.
        StatementMalformed: it is no statement that can be read.
    """
    if len(raw) > rules.MOST_BYTES:
        raise rules.StatementTooLarge("The file is too large.", most_bytes=rules.MOST_BYTES)
    is_xml = raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    return camt.read(raw) if is_xml else mt940.read(raw)
