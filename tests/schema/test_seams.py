"""Registry and collector write the same keys: neither imports the other's, so this compares them."""

from __future__ import annotations

from crucible_collector.batch import LIFTED, MEASUREMENT_PREFIX, SLOT_KEYS, AttributeKind
from crucible_schema import ATTRIBUTES, MEASUREMENTS, AttributeType
from generator import fields

KINDS = {AttributeType.STRING: AttributeKind.STRING, AttributeType.INT: AttributeKind.INT}


def test_the_prefix_of_measurements_is_the_same() -> None:
    assert fields.MEASUREMENT_PREFIX == MEASUREMENT_PREFIX


def test_every_key_of_ours_that_the_collector_looks_for_is_registered() -> None:
    known = {*ATTRIBUTES, *(measurement.key for measurement in MEASUREMENTS.values())}
    ours = {key for key in SLOT_KEYS if key.startswith(("crucible.", "service."))}
    assert ours <= known


def test_a_lifted_column_has_the_type_of_its_attribute() -> None:
    assert {key: KINDS[ATTRIBUTES[key].type] for key in LIFTED} == LIFTED
