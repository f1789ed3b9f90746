"""Browsers on the collector's machine: what pages of other sites may have them do."""

from __future__ import annotations

import uuid
from pathlib import Path

import httpx
import pytest

from collector.access.test_keys_in_use import key_of, post, request_of
from crucible_collector.access.doors import Doors
from crucible_collector.access.origins import Origins, is_own_page
from crucible_collector.errors import ForbiddenError
from crucible_collector.settings import Settings
from harness import Collector, collector

HERE = "127.0.0.1:8080"
FOREIGN = (
    {"sec-fetch-site": "cross-site", "origin": "https://elsewhere.example"},
    {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:3000"},
    {"origin": "https://elsewhere.example"},
    {"origin": "null"},
)


@pytest.mark.parametrize(
    ("site", "origin", "is_own"),
    [
        ("same-origin", f"http://{HERE}", True),
        ("none", None, True),
        ("same-site", f"http://{HERE}", False),
        ("cross-site", None, False),
        (None, f"http://{HERE}", True),
        (None, "http://127.0.0.1:3000", False),
        (None, f"http://{HERE}.elsewhere.example", False),
        (None, "null", False),
        (None, "http://[", False),
    ],
)
def test_a_page_is_our_own_by_what_the_browser_tells_of_it(
    site: str | None, origin: str | None, is_own: bool
) -> None:
    assert is_own_page(site, origin, HERE, otherwise=False) == is_own
    assert is_own_page(site, origin, HERE, otherwise=True) == is_own


def test_what_no_browser_sends_is_what_the_caller_says() -> None:
    assert is_own_page(None, None, HERE, otherwise=True)
    assert not is_own_page(None, None, HERE, otherwise=False)


def test_on_loopback_without_keys_only_names_that_nobody_can_turn_here_are_answered() -> None:
    told = {"public_url": "https://Crucible.example:8443/x", "host_names": "lab.example"}
    doors = Doors(Settings.model_validate(told), lambda: "")
    own = (HERE, "127.9.9.9", "[::1]:80", "[::1]", "localhost", "LOCALHOST.:1", "a.localhost", None)
    for host in (*own, "crucible.example", "lab.example:8080", "10.0.0.1:80"):
        doors.origins("api").require_name(host)
    for host in ("elsewhere.example", "127.0.0.1.elsewhere.example", "lab.example.org:80", "", "["):
        for listener in ("api", "http"):
            with pytest.raises(ForbiddenError, match="host_names"):
                doors.origins(listener).require_name(host)


@pytest.mark.parametrize("told", [{"require_keys": True}, {"insecure": True, "api": "0.0.0.0:1"}])
def test_with_keys_or_beyond_loopback_any_name_will_do(told: dict[str, object]) -> None:
    doors = Doors(Settings.model_validate(told), lambda: "")
    doors.origins("api").require_name("elsewhere.example")


def test_pages_that_are_named_count_as_our_own() -> None:
    origins = Origins("api", ("https://lab.example",))
    origins.require_own_page("cross-site", "https://lab.example", HERE)
    with pytest.raises(ForbiddenError, match=r"https://lab\.example\.org .* cors_origins"):
        origins.require_own_page("cross-site", "https://lab.example.org", HERE)


def changes(running: Collector, headers: dict[str, str]) -> set[int]:
    """The answers to requests that change something and that a page may send without asking first, or so."""
    with httpx.Client(base_url=f"{running.api}/api/v1", headers=headers, timeout=20) as asking:
        answers = (
            asking.post(f"/archives/{uuid.UUID(int=1)}/drop"),
            asking.post("/experiments", json={"name": "sweep"}),
            asking.post("/telemetry/events", content="{}", headers={"content-type": "text/plain"}),
            asking.delete(f"/exports/{uuid.UUID(int=1)}"),
            asking.put("/sampling", json={"rules": []}),
        )
    return {each.status_code for each in answers}


def test_on_loopback_pages_of_other_sites_change_nothing_and_programs_may(
    tmp_path: Path, plain_database: str
) -> None:
    with collector(tmp_path / "data", plain_database) as running:
        body = request_of("sweep")
        for headers in FOREIGN:
            assert changes(running, headers) == {403}
            assert post(running, body, None, also=headers).status_code == 403
        assert running.get("/api/v1/experiments")["data"] == []
        turned = {"host": f"elsewhere.example:{running.api.rpartition(':')[2]}"}
        assert httpx.get(f"{running.api}/api/v1/runs", headers=turned).status_code == 403
        assert post(running, body, None, also=turned).status_code == 403
        assert 'crucible_access_refused_total{listener="http",reason="forbidden"} 5.0' in (
            running.metrics()
        )
        own = {"sec-fetch-site": "same-origin", "origin": running.api}
        for headers in (own, {}):
            assert 403 not in changes(running, headers)
        assert len(running.get("/api/v1/experiments")["data"]) == 2
        assert post(running, body, None).status_code == 200


def test_a_page_that_is_named_sends_otlp_and_one_with_a_key_of_its_own_is_no_other_sites(
    tmp_path: Path, plain_database: str
) -> None:
    key = key_of(plain_database, "ingest", "write", name="lab")
    page, other = ({"origin": f"https://{name}.example"} for name in ("lab", "other"))
    asks = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    arguments = ("--cors-origins", "https://lab.example")
    with collector(tmp_path / "open", plain_database, *arguments) as running:
        url = f"{running.addresses['http']}/v1/traces"
        allowed = httpx.options(url, headers={**page, **asks})
        assert allowed.headers["access-control-allow-origin"] == "https://lab.example"
        assert httpx.options(url, headers={**other, **asks}).status_code == 400
        sent = post(running, request_of("sweep"), None, also=page)
        assert (sent.status_code, sent.headers["access-control-allow-origin"]) == (
            200,
            "https://lab.example",
        )
        assert post(running, request_of("sweep"), None, also=other).status_code == 403
        assert 403 not in changes(running, page)
    with collector(tmp_path / "keyed", plain_database, "--require-keys") as running:
        assert post(running, request_of("sweep"), key, also=other).status_code == 200
        url = f"{running.api}/api/v1/experiments"
        keyed = {**other, "authorization": f"Bearer {key}"}
        made = httpx.post(url, json={"name": "keyed"}, headers=keyed)
        assert made.status_code == 201
