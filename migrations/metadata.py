"""Loads every module that declares rows, so that the metadata is whole."""

import importlib
import pkgutil

PACKAGES = ("contracts", "settlement", "listings", "exchange")


def load() -> None:
    """Import each `tables` module of each slice."""
    for package_name in PACKAGES:
        package = importlib.import_module(package_name)
        for found in pkgutil.walk_packages(package.__path__, f"{package_name}."):
            if found.name.endswith(".tables"):
                importlib.import_module(found.name)
