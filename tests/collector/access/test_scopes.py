"""What each route of the API takes."""

from __future__ import annotations

import inspect
import re
from typing import Any, cast

import pytest

from crucible_collector.access.scopes import rule_of
from crucible_collector.api import create_app


class Anything:
    """Stands for every part that the application can be given: no route is left out."""

    cors_origins = ()

    def __getattr__(self, name: str) -> Any:
        return Anything()


def routes() -> list[tuple[str, str]]:
    """Method and path of every route, placeholders filled in."""
    parts = {name: Anything() for name in inspect.signature(create_app).parameters}
    paths = create_app(**cast("Any", parts)).openapi()["paths"]
    return [
        (method.upper(), re.sub(r"\{[^}]*\}", "x", path))
        for path, methods in paths.items()
        for method in methods
    ]


def test_every_route_has_a_scope_of_its_own() -> None:
    found = routes()
    assert len(found) > 60
    unlisted = [each for each in found if not rule_of(*each).rule.is_listed]
    assert unlisted == []


def test_what_changes_something_never_takes_less_than_write_but_for_what_is_sent() -> None:
    asked = {
        "/api/v1/telemetry/events",
        "/api/v1/session",
        "/api/v1/compare",
        "/api/v1/sampling/simulate",
    }
    for method, path in routes():
        if method != "GET" and path not in asked:
            assert rule_of(method, path).rule.scope in {"write", "admin"}, (method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/no/such"),
        ("DELETE", "/api/v1/runs/x"),
        ("POST", "/metrics"),
        ("PROPFIND", "/"),
        ("GET", "//"),
        ("GET", "/assets"[:-1]),
        ("GET", "/api/v1/experimentsx"),
        ("PUT", "/api/v1/detection"),
    ],
)
def test_what_no_line_is_about_takes_a_key_for_admin(method: str, path: str) -> None:
    assert rule_of(method, path).rule.scope == "admin"


def test_what_a_path_names_is_unescaped_once() -> None:
    ruled = rule_of("GET", "/api/v1/runs/a%2Fb%252Fc/series/loss")
    assert ruled.named == (("run", "a/b%2Fc"),)
