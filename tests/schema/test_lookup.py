"""What SDK and collector ask of the registry."""

from __future__ import annotations

import pytest

from crucible_schema import (
    ATTRIBUTES,
    EVENT_ALIASES,
    EVENTS,
    LIFECYCLES,
    MEASUREMENTS,
    event_name,
    is_series,
)


@pytest.mark.parametrize(
    ("span_name", "is_error", "expected"),
    [
        ("crucible_train.epoch", False, "crucible_train.epoch.stop"),
        ("crucible_train.epoch", True, "crucible_train.epoch.exception"),
        # a batch has no exception: trainings go on after a failed one
        ("crucible_train.batch", False, "crucible_train.batch.stop"),
        ("crucible_train.batch", True, "crucible_train.batch.stop"),
        ("crucible_train.epoch.start", False, "crucible_train.epoch.start"),
        ("crucible_train.checkpoint.saved", True, "crucible_train.checkpoint.saved"),
        ("GET /users", True, "GET /users"),
        ("", False, ""),
    ],
)
def test_the_end_of_a_span_is_named(span_name: str, is_error: bool, expected: str) -> None:
    assert event_name(span_name, is_error) == expected


def test_every_event_is_reached_from_its_span() -> None:
    for event in EVENTS.values():
        assert event.name in {event_name(event.span_name, False), event_name(event.span_name, True)}


def test_every_name_that_spans_can_end_in_is_an_event() -> None:
    for span_name in LIFECYCLES:
        assert event_name(span_name, False) in EVENTS
        assert event_name(span_name, True) in EVENTS


def test_a_measurement_that_the_registry_calls_series_becomes_a_point() -> None:
    assert is_series("crucible_train.batch.stop", "loss")
    assert is_series("crucible_deployment.health_check.completed", "latency_p99")


def test_a_free_measurement_becomes_a_point_where_the_event_has_curves() -> None:
    assert is_series("crucible_train.batch.stop", "optim/entropy")
    assert is_series("crucible_train.checkpoint.saved", "accuracy")
    assert not is_series("crucible_deployment.inference.stop", "queue_length")
    assert not is_series("crucible_train.training.start", "anything")


def test_a_measurement_that_is_named_and_no_series_stays_on_its_span() -> None:
    assert not is_series("crucible_train.checkpoint.saved", "model_size_bytes")
    assert not is_series("crucible_train.training.stop", "final_loss")


def test_nothing_of_an_unknown_event_becomes_a_point() -> None:
    assert not is_series("crucible_train.batch", "loss")
    assert not is_series("somebody.elses.event", "loss")


def test_the_sets_say_what_the_question_answers() -> None:
    for name, event in EVENTS.items():
        for use in event.measurements:
            assert is_series(name, use.measurement.name) is use.is_series
        assert is_series(name, "a_free_name") is (event.free_measurements == "series")


def test_an_alias_leads_to_an_event() -> None:
    assert EVENT_ALIASES["crucible_deployment.health_check"] == (
        "crucible_deployment.health_check.completed"
    )
    assert EVENT_ALIASES["crucible_kitchen.training.step"] == "crucible_train.batch.stop"
    assert set(EVENT_ALIASES.values()) <= set(EVENTS)
    assert not set(EVENT_ALIASES) & set(EVENTS)


def test_definitions_are_found_by_key_and_by_name() -> None:
    assert all(attribute.key == key for key, attribute in ATTRIBUTES.items())
    assert all(measurement.name == name for name, measurement in MEASUREMENTS.items())
    assert not set(ATTRIBUTES) & {measurement.key for measurement in MEASUREMENTS.values()}
