"""A price table says what it means, or in one line what is wrong with it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from crucible_collector.cost.price_table import PriceTable
from crucible_collector.errors import SettingsError

MODEL: dict[str, Any] = {"match": "mine", "input_usd": 1, "output_usd": 2}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"model": []}, "prices: model: unknown setting; models is one"),
        ({"currency": "EUR"}, "prices: currency = 'EUR': input should be 'USD'"),
        (
            {"models": [{**MODEL, "match": None}]},
            "prices: price price-1: expected either match or prefix",
        ),
        (
            {"models": [{**MODEL, "prefix": "m"}]},
            "prices: price price-1: expected either match or prefix",
        ),
        (
            {"models": [MODEL, {**MODEL, "input_usd": -1}]},
            "prices: price price-2: input_usd = -1: input should be greater than or equal to 0",
        ),
        (
            {"models": [{"match": "mine", "input_usd": 1}]},
            "prices: price price-1: output_usd: expected a value",
        ),
        (
            {"models": [{**MODEL, "input": 1}]},
            "prices: price price-1: input: unknown setting; input_usd is one",
        ),
        (
            {"models": [{**MODEL, "name": "ours", "from": "2026-02-01", "until": "2026-02-01"}]},
            "prices: price ours: from = 2026-02-01 is not before until = 2026-02-01",
        ),
        (
            {"models": [{**MODEL, "name": "ours"}, {**MODEL, "name": "ours"}]},
            "prices: two prices are named 'ours'",
        ),
        ({"models": [{**MODEL, "output_usd": float("nan")}]}, "output_usd = nan"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        PriceTable.parse(table)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_days_are_taken_as_a_file_has_them_and_kept_as_text() -> None:
    told = {**MODEL, "from": dt.date(2026, 2, 1), "until": dt.date(2026, 3, 1)}
    table = PriceTable.parse({"models": [told]})
    form = table.as_json()
    assert (form["models"][0]["from"], form["models"][0]["until"]) == ("2026-02-01", "2026-03-01")
    assert PriceTable.parse(form) == table
    assert PriceTable.parse(form).digest() == table.digest() != PriceTable.parse({}).digest()
