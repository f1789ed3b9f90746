"""What computed numbers are answered with: twelve digits, of any number that there is."""

from __future__ import annotations

import math

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def significant(dsn: str, values: list[float]) -> list[float]:
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(
            "select crucible.significant(value) from unnest(%s::float8[]) with ordinality as v (value, n)"
            " order by n",
            (values,),
        ).fetchall()
    return [value for (value,) in rows]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=50, max_size=200))
def test_a_number_keeps_twelve_digits(database: str, values: list[float]) -> None:
    for given_one, found in zip(values, significant(database, values), strict=True):
        if given_one == math.trunc(given_one) and abs(given_one) < 1e15:
            assert found == given_one
        else:
            assert found == pytest.approx(given_one, rel=5.1e-12, abs=0)


def test_digits_that_come_of_the_order_of_a_sum_are_not_told(database: str) -> None:
    assert significant(database, [0.1 + 0.2, (2.0**53 + 2) * 28, 1 / 3]) == [
        0.3,
        2.52201579133e17,
        0.333333333333,
    ]


@pytest.mark.parametrize("value", [math.inf, -math.inf, 0.0, 5e-324, 1.7976931348623157e308])
def test_no_number_is_an_error(database: str, value: float) -> None:
    [found, nothing] = significant(database, [value, math.nan])
    assert found == value or math.isclose(found, value, rel_tol=1e-11)
    assert math.isnan(nothing)
