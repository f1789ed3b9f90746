"""Fixtures of the tests of exports."""

from exported import filled, filled_plain

__all__ = ["filled", "filled_plain"]
