"""What is to be hidden does not leave, wherever it lies; what is hashed stays equal."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from exported import exported


def read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


@pytest.mark.parametrize("attributes", ["json", "columns"])
def test_presets_hide_who_and_what_was_said_in_any_column(
    filled_plain: str, tmp_path: Path, attributes: str
) -> None:
    path = tmp_path / "e.jsonl"
    hidden = {"presets": ["users", "texts"]}
    report = exported(filled_plain, path, of="events", attributes=attributes, anonymise=hidden)
    text = path.read_text()
    assert "ada" not in text
    assert "hello" not in text
    assert "exception.message" not in text
    assert "status_message" not in report["columns"]
    assert "gen_ai.prompt" not in text
    assert '"n"' in text or "attributes.n" in text
    assert report["hash_key"] == "random"


def test_a_given_key_makes_the_hmac_that_others_can_make(filled_plain: str, tmp_path: Path) -> None:
    hidden = {"hash": ["user.*", "run_id"], "key": "a secret of ours"}
    report = exported(filled_plain, tmp_path / "e.parquet", of="events", anonymise=hidden)
    expected = hmac.new(b"a secret of ours", b"ada", hashlib.sha256).hexdigest()[:32]
    rows = read(tmp_path / "e.parquet")
    found = [json.loads(row["attributes"] or "{}").get("user.id") for row in rows]
    assert set(found) == {expected, None}
    assert found.count(expected) == 2
    assert report["hash_key"] == "given"
    runs = {row["run_id"] for row in rows}
    assert len(runs) == 3
    assert not runs & {"run-1", "run-2"}
    of_event = json.loads(next(row["events"] for row in rows if row["events"]))
    assert of_event[0]["attributes"]["user.id"] == expected


def test_without_a_key_no_two_exports_have_the_same_hashes(
    filled_plain: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        exported(
            filled_plain,
            tmp_path / f"{name}.parquet",
            of="events",
            fields=["attributes.user.id"],
            anonymise={"presets": ["users"]},
        )
    one, other = (
        {row["attributes.user.id"] for row in read(tmp_path / f"{name}.parquet")} - {None}
        for name in ("a", "b")
    )
    assert len(one) == len(other) == 1
    assert one != other


def test_what_is_not_hidden_stays_as_it_is_to_the_last_digit(
    filled_plain: str, tmp_path: Path
) -> None:
    exported(filled_plain, tmp_path / "whole.parquet", of="events")
    exported(filled_plain, tmp_path / "e.parquet", of="events", anonymise={"drop": ["user.id"]})
    for whole, hidden in zip(
        read(tmp_path / "whole.parquet"), read(tmp_path / "e.parquet"), strict=True
    ):
        expected = json.loads(whole["attributes"] or "{}")
        expected.pop("user.id", None)
        assert json.dumps(json.loads(hidden["attributes"] or "{}")) == json.dumps(expected)
