"""What counts as a number, what fits into an attribute, and what JSON comes out."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crucible_telemetry as crucible
from crucible_telemetry import values
from crucible_telemetry.scope import MEASUREMENTS_MAX
from crucible_telemetry.testing import capture


class Hostile:
    """Raises something else than a number's usual errors."""

    def __float__(self) -> float:
        raise ArithmeticError("lost on the device")

    __index__ = __float__


class Tensor:
    """What torch's scalars look like from outside: `__float__`, and `__index__` for whole ones."""

    def __init__(self, value: float) -> None:
        self._value = value

    def __float__(self) -> float:
        return self._value

    def __index__(self) -> int:
        raise TypeError("only integer tensors of a single element can be converted to an index")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        (True, 1),
        (2.5, 2.5),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.array(4.0), 4.0),
        (np.array(4), 4),
        (Tensor(0.25), 0.25),
        (Decimal("1.5"), 1.5),
        (Fraction(1, 4), 0.25),
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (math.inf, math.inf),
    ],
)
def test_numbers_of_every_kind_are_numbers_and_ints_stay_ints(value: Any, expected: float) -> None:
    converted = values.number(value)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    "value", ["1.5", b"1", None, [1.0], {}, 1j, np.zeros(3), object(), 10**400, Hostile()]
)
def test_what_is_no_number_is_none(value: Any) -> None:
    assert values.number(value) is None


def test_nan_is_sent_and_none_means_not_measured() -> None:
    with capture() as captured, crucible.training() as training, training.epoch() as epoch:
        with epoch.batch() as batch:
            batch.log(loss=math.nan, gradient_norm=None)
    (stop,) = captured.named("crucible_train.batch.stop")
    assert list(stop.measurements) == ["loss"]
    assert math.isnan(stop.measurements["loss"])
    assert "fault.not_a_number" not in crucible.counts()


def test_other_values_are_left_out_counted_and_warned_about_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with capture() as captured, crucible.training() as training:
        training.log(loss="low", accuracy=0.5)
        training.log(loss=[1.0])
    (stop,) = captured.named("crucible_train.training.stop")
    assert stop.measurements["accuracy"] == 0.5
    assert "loss" not in stop.measurements
    assert crucible.counts()["fault.not_a_number"] == 2
    assert [record.message.split(";")[0] for record in caplog.records] == [
        "loss=str is not a number"
    ]


def test_names_that_are_no_identifiers_come_in_a_mapping_and_the_last_value_counts() -> None:
    with capture() as captured, crucible.training() as training:
        training.log({"optim/entropy": 0.25, "loss": 1.0}, loss=2.0)
        training.log(loss=3.0)
    (stop,) = captured.named("crucible_train.training.stop")
    assert stop.measurements["optim/entropy"] == 0.25
    assert stop.measurements["loss"] == 3.0
    keys = stop.span.attributes or {}
    assert keys["crucible.measurement.optim/entropy"] == 0.25


def test_a_flood_of_measurements_never_pushes_out_who_they_belong_to() -> None:
    with capture() as captured, crucible.training(run_id="r") as training:
        training.log({f"metric_{index}": index for index in range(500)})
        training.log(metric_0=7)
    (stop,) = captured.named("crucible_train.training.stop")
    assert stop.attributes["crucible.run.id"] == "r"
    assert stop.measurements["metric_0"] == 7
    assert stop.span.dropped_attributes == 0
    assert crucible.counts()["fault.too_many_measurements"] == 500 - MEASUREMENTS_MAX


@given(st.text(max_size=600))
def test_ids_fit_their_column_and_stay_apart(text: str) -> None:
    bounded = values.bounded_id(text)
    assert len(bounded.encode("utf-8", "strict")) <= values.ID_BYTES_MAX
    if len(text.encode("utf-8", "replace")) <= values.ID_BYTES_MAX:
        assert bounded == text.encode("utf-8", "replace").decode()
    assert values.bounded_id(text + "a" * 300) != values.bounded_id(text + "a" * 299 + "b")


@given(st.text(max_size=3000))
def test_texts_fit_their_column(text: str) -> None:
    assert len(values.bounded_text(text).encode("utf-8", "strict")) <= values.TEXT_BYTES_MAX


def test_configurations_of_every_shape_become_json() -> None:
    @dataclasses.dataclass
    class Config:
        rate: float
        path: Path
        nested: dict[str, Any]

    config = Config(math.inf, Path("a/b"), {"x": [1, None, True, {2}], "y": math.nan, "fn": len})
    assert json.loads(values.json_text(config) or "") == {
        "rate": "Infinity",
        "path": "a/b",
        "nested": {"x": [1, None, True, [2]], "y": "NaN", "fn": "<built-in function len>"},
    }
    assert values.json_text(argparse.Namespace(lr=0.1)) == '{"lr":0.1}'


def test_a_configuration_that_contains_itself_ends() -> None:
    config: dict[str, Any] = {"a": 1}
    config["self"] = config
    assert values.json_text(config) is not None


def test_a_configuration_that_is_too_large_is_left_out_and_counted() -> None:
    with capture() as captured, crucible.training(config={"x": "y" * 100_000}, model_name="mlp"):
        pass
    (start,) = captured.named("crucible_train.training.start")
    assert start.attributes["crucible.model.name"] == "mlp"
    assert "crucible.training.config" not in start.attributes
    assert crucible.counts()["fault.too_large"] == 1


def test_metadata_keeps_the_type_that_the_registry_says() -> None:
    with (
        capture() as captured,
        crucible.training(learning_rate=1, model_version=3, metrics=("a", "b")),
    ):
        pass
    (start,) = captured.named("crucible_train.training.start")
    assert start.attributes["crucible.training.learning_rate"] == 1.0
    assert type(start.attributes["crucible.training.learning_rate"]) is float
    assert start.attributes["crucible.model.version"] == "3"
    assert start.attributes["crucible.training.metrics"] == ("a", "b")


def test_a_word_is_a_list_of_one_where_the_registry_says_list() -> None:
    with capture() as captured, crucible.training(metrics="loss"):
        pass
    (start,) = captured.named("crucible_train.training.start")
    assert start.attributes["crucible.training.metrics"] == ("loss",)


def test_metadata_that_the_registry_does_not_know_is_sent_under_the_events_object() -> None:
    odd: dict[str, Any] = {"odd name": "x"}
    with capture() as captured, crucible.training(my_flag=True, shape=[1, 2], **odd):
        pass
    (start,) = captured.named("crucible_train.training.start")
    assert start.attributes["crucible.training.my_flag"] is True
    assert start.attributes["crucible.training.shape"] == "[1,2]"
    assert start.attributes["crucible.training.odd_name"] == "x"


@pytest.mark.parametrize("beyond", [10**30, -(10**30), 1e300, 2**63])
def test_a_count_that_64_bits_do_not_hold_is_none(beyond: float) -> None:
    assert values.whole(beyond) == 0


@pytest.mark.parametrize("bytes_max", [1, 2, 3])
def test_a_text_with_no_room_for_more_is_an_ellipsis(bytes_max: int) -> None:
    assert values.bounded_text("abcdef", bytes_max) == "…"
