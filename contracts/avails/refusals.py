"""Refusals of files of avails that cannot be read at all; everything milder is a finding."""

from contracts.refusal import Kind, Refusal

MOST_BYTES = 20 * 1024**2  # the largest file
MOST_UNPACKED_BYTES = 200 * 1024**2  # everything inside a workbook, unpacked
MOST_ROWS = 50_000
MOST_COLUMNS = 400
MOST_TEXT = 48_000_000  # characters in all cells of a sheet; one string may stand in many


class AvailsTooLarge(Refusal):
    """The file of avails is larger than any that is read."""

    kind, code = Kind.TOO_LARGE, "avails-too-large"
    hint = f"Send at most {MOST_BYTES} bytes, {MOST_ROWS} rows and {MOST_COLUMNS} columns."


class AvailsUnreadable(Refusal):
    """The file is neither a workbook of avails nor an AvailList in XML."""

    kind, code = Kind.MALFORMED, "avails-unreadable"
    hint = "Send XLSX 1.7 to 1.9 in the layout of MovieLabs' templates, or XML 2.4 to 2.7."


class AvailsDangerous(Refusal):
    """The file holds what a file of avails never needs: a DTD, an entity, a bomb."""

    kind, code = Kind.MALFORMED, "avails-dangerous"
    hint = "Save the file again from the program that made it, without macros, links and DTD."


class AvailsVersionLacks(Refusal):
    """The version asked for has no column for something that is on offer."""

    kind, code = Kind.CONFLICT, "avails-version-lacks"
    hint = "Ask for a newer version; 1.9 and XML 2.7 say most."
