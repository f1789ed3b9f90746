"""Where requests go: arguments over a signal's own variables over the common ones over defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crucible_telemetry.destination import GRPC, HTTP_PROTOBUF, Destination, destination, signal_url


def resolved(signal: str = "traces", protocol: str = HTTP_PROTOBUF, **given: Any) -> Destination:
    return destination(signal, protocol, given.get("endpoint"), given.get("headers"))


@pytest.mark.parametrize(
    ("endpoint", "traces", "metrics"),
    [
        ("http://c:4318", "http://c:4318/v1/traces", "http://c:4318/v1/metrics"),
        ("http://c:4318/", "http://c:4318/v1/traces", "http://c:4318/v1/metrics"),
        ("http://c/otlp/v1/traces", "http://c/otlp/v1/traces", "http://c/otlp/v1/metrics"),
        ("http://c/otlp", "http://c/otlp", "http://c/otlp/v1/metrics"),
    ],
)
def test_http_endpoints_with_and_without_a_path(endpoint: str, traces: str, metrics: str) -> None:
    assert signal_url(endpoint, "traces") == traces
    assert signal_url(endpoint, "metrics") == metrics


def test_defaults_are_otlps() -> None:
    assert resolved() == Destination("http://localhost:4318/v1/traces", False, (), 10.0, "none")
    assert resolved(protocol=GRPC) == Destination("localhost:4317", False, (), 10.0, "none")


def test_a_signals_own_variable_is_taken_as_it_is_and_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://all:1/base/")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://own:2/here")
    assert resolved("traces").endpoint == "https://all:1/base/v1/traces"
    assert resolved("traces").is_secure
    assert resolved("metrics").endpoint == "http://own:2/here"
    assert not resolved("metrics").is_secure
    assert resolved("traces", GRPC).endpoint == "all:1"
    assert resolved("metrics", GRPC).endpoint == "own:2"
    assert resolved("metrics", endpoint="http://argument:3").endpoint.startswith(
        "http://argument:3"
    )


def test_everything_else_has_a_variable_of_its_own_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, common, own in (
        ("HEADERS", "a=1,B=x%20y", "c=3"),
        ("TIMEOUT", "3", "0.5"),
        ("COMPRESSION", "gzip", "Deflate"),
        ("CERTIFICATE", "/all.pem", "/own.pem"),
        ("CLIENT_CERTIFICATE", "/all.crt", "/own.crt"),
        ("CLIENT_KEY", "/all.key", "/own.key"),
    ):
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", common)
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_LOGS_{name}", own)
    assert resolved("traces") == Destination(
        "http://localhost:4318/v1/traces",
        False,
        (("a", "1"), ("b", "x y")),
        3.0,
        "gzip",
        *(Path(f"/all.{end}") for end in ("pem", "crt", "key")),
    )
    assert resolved("logs") == Destination(
        "http://localhost:4318/v1/logs",
        False,
        (("c", "3"),),
        0.5,
        "deflate",
        *(Path(f"/own.{end}") for end in ("pem", "crt", "key")),
    )


def test_headers_of_the_arguments_win_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=old,team=vision")
    found = dict(resolved(headers={"Authorization": "new"}).headers)
    assert found == {"authorization": "new", "team": "vision"}


@pytest.mark.parametrize(
    ("endpoint", "insecure", "target", "is_secure"),
    [
        ("http://c:1", "", "c:1", False),
        ("https://c:1", "true", "c:1", True),
        ("http://c:1", "false", "c:1", False),
        ("c:1", "", "c:1", True),
        ("c:1", "True", "c:1", False),
        ("unix:///run/otlp.sock", "true", "unix:///run/otlp.sock", False),
        ("dns:///c:1", "true", "dns:///c:1", False),
    ],
)
def test_a_scheme_decides_about_tls_and_the_variable_only_where_there_is_none(
    endpoint: str, insecure: str, target: str, *, is_secure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", insecure)
    found = resolved(protocol=GRPC, endpoint=endpoint)
    assert (found.endpoint, found.is_secure) == (target, is_secure)


@pytest.mark.parametrize("text", ["soon", "-1", "0", "inf", "nan"])
def test_a_timeout_that_is_none_is_named_and_ignored(
    text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", text)
    assert resolved().timeout_s == 10.0
    assert "OTEL_EXPORTER_OTLP_TIMEOUT" in caplog.text
    assert text in caplog.text


def test_a_compression_that_is_none_is_an_error_that_says_what_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli")
    with pytest.raises(ValueError, match=r"brotli.*none or gzip or deflate"):
        resolved()
