"""Every query says what it answers and what it leans on, and is asked by somebody."""

from __future__ import annotations

import re
from pathlib import Path

import crucible_collector
from crucible_collector.store.read import query_text

PACKAGE = Path(crucible_collector.__path__[0])
QUERIES = PACKAGE / "store" / "queries"
NAMES = {file.stem for file in QUERIES.glob("*.sql")}


def test_every_query_begins_with_its_question_and_what_it_leans_on() -> None:
    for name in NAMES:
        head = re.match(r"(?:-- .*\n)+", (QUERIES / f"{name}.sql").read_text())
        assert head, name
        question, _, rest = head[0].replace("\n-- ", " ").removeprefix("-- ").partition("?")
        assert question, name
        assert re.search(r"[Ll]eans? on|No index", rest), name


def test_every_query_is_asked_or_included_and_every_include_is_filled_in() -> None:
    code = "".join(file.read_text() for file in PACKAGE.rglob("*.py"))
    text = "".join(query_text(name) for name in NAMES)
    sources = "".join((QUERIES / f"{name}.sql").read_text() for name in NAMES)
    used = set(re.findall(r'"(\w+)"', code)) | set(re.findall(r"-- include (\w+)", sources))
    for name in re.findall(r"-- each \w+: (\w+)", sources):
        used |= {f"{name}_rolled", f"{name}_raw", f"{name}_rim"}
    assert used >= NAMES
    assert "-- include" not in text
