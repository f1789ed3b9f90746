"""Comparing conditions: tests, effect sizes, intervals and what may be said of them; without a database."""
