"""A package's docstring is its map: whoever adds a module says there where data meet it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = sorted(
    path.parent.relative_to(PROJECT)
    for root in ("sdk", "collector", "schemas")
    for path in (PROJECT / root).rglob("__init__.py")
    if path.parent.name != "routes"  # a module for each kind of thing that is asked for
)


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_every_module_is_on_its_packages_map(package: Path) -> None:
    folder = PROJECT / package
    words = set(re.findall(r"\w+", ast.get_docstring(_parsed(folder / "__init__.py")) or ""))
    modules = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("__")}
    modules |= {path.parent.name for path in folder.glob("*/__init__.py")}
    assert modules <= words


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_every_module_says_what_it_is_for(package: Path) -> None:
    assert all(ast.get_docstring(_parsed(path)) for path in (PROJECT / package).glob("*.py"))


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())
