"""What each route of the API takes."""

from __future__ import annotations

import inspect
import re
from typing import Any, cast

import pytest

from crucible_collector.access.origins import Origins
from crucible_collector.access.principal import Principal
from crucible_collector.access.scopes import RULES, rule_of
from crucible_collector.access.within import require_within
from crucible_collector.api import create_app
from crucible_collector.api.questions import as_list
from crucible_collector.errors import ForbiddenError
from crucible_collector.store.read import Reads


class Anything:
    """Stands for every part that the application can be given: no route is left out."""

    origins = Origins("api")

    def __getattr__(self, name: str) -> Any:
        return Anything()


def routes() -> list[tuple[str, str]]:
    """Method and path of every route, placeholders filled in."""
    return [(method, re.sub(r"\{[^}]*\}", "x", path)) for method, path, _ in described()]


def described() -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every route."""
    parts = {name: Anything() for name in inspect.signature(create_app).parameters}
    paths = create_app(**cast("Any", parts)).openapi()["paths"]
    return [
        (method.upper(), path, about)
        for path, methods in paths.items()
        for method, about in methods.items()
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


def test_every_line_decides_about_something() -> None:
    lines = [(method, rule.path.pattern) for rule in RULES for method in sorted(rule.methods)]
    assert [each for each in lines if lines.count(each) > 1] == []


def test_routes_that_take_several_of_a_name_are_held_to_each_of_them() -> None:
    takes_several = {
        path
        for _, path, about in described()
        for each in about.get("parameters", [])
        if each["name"] in {"experiment", "run", "series", "period"}
        and "array" in str(each["schema"])
    }
    held = {
        path for method, path, _ in described() if rule_of(method, path).rule.within == "several"
    }
    assert takes_several == held == {"/api/v1/aggregate", "/api/v1/curves", "/api/v1/live"}


class Runs:
    """A database whose runs are known by the experiment that they are of; it remembers what it was asked."""

    def __init__(self, **experiment_of: str) -> None:
        self._experiment_of = experiment_of
        self.asked: list[str] = []

    def json_rows(self, _: str, *, prefix: str, run_ids: list[str], **__: Any) -> list[str]:
        self.asked = sorted(run_ids)
        found = [self._experiment_of.get(run, "").startswith(prefix) for run in run_ids]
        return ['{"is_within": true}' if all(found) else '{"is_within": false}']


TEAM_A = Principal("team-a", frozenset({"read"}), "team-a-")


@pytest.mark.parametrize("value", ["r1,r2", r"lr=1\,bs=2", r"lr=1\,bs=2,r1", ",r1,", r"r1\,"])
def test_what_is_looked_up_is_what_the_route_reads(value: str) -> None:
    wanted = as_list(value)
    runs = Runs(**dict.fromkeys(wanted, "team-a-1"))
    ruled = rule_of("GET", "/api/v1/aggregate")
    require_within(cast("Reads", runs), TEAM_A, ruled, f"run={value}", None)
    assert runs.asked == sorted(wanted)


def test_runs_named_like_spellings_of_another_do_not_open_it() -> None:
    own = dict.fromkeys([r"lr=1\,bs=2", "lr=1\\", "bs=2"], "team-a-1")
    runs = Runs(**own, **{"lr=1,bs=2": "team-b-1"})
    ruled = rule_of("GET", "/api/v1/aggregate")
    with pytest.raises(ForbiddenError, match="not of these"):
        require_within(cast("Reads", runs), TEAM_A, ruled, r"run=lr=1\,bs=2", None)


def test_a_run_whose_id_has_a_comma_can_be_asked_for() -> None:
    runs = Runs(**{"lr=1,bs=2": "team-a-1"})
    ruled = rule_of("GET", "/api/v1/events")
    require_within(cast("Reads", runs), TEAM_A, ruled, "run=lr=1,bs=2", None)
    with pytest.raises(ForbiddenError):
        require_within(cast("Reads", runs), TEAM_A, ruled, "experiment=team-a-1,team-b-1", None)
