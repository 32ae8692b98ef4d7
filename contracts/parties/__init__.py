"""Legal persons, their keys and licences."""
