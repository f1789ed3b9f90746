"""Each strategy's docstring has an example, and it runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from crucible_collector.sample import strategies

STRATEGIES = ("uniform", "stratified", "reservoir", "adaptive", "importance", "tail")


@pytest.mark.parametrize("name", [each.name for each in pkgutil.iter_modules(strategies.__path__)])
def test_the_example_in_the_docstring_runs(name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"{strategies.__name__}.{name}"))
    assert not done.failed
    assert done.attempted or name not in STRATEGIES
