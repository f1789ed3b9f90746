"""`should_stop()`: what the collector says of a run, without waiting, and without a trace of it after."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
import timeit
from collections.abc import Callable, Iterator

import pytest

import crucible_telemetry as crucible
from crucible_telemetry import faults, health, telemetry
from crucible_telemetry.health import Health, Reason
from sdk.verdicts import CRITICAL, HEALTHY, REASON, Api, serving

OFTEN_S = 0.01


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(health, "INTERVAL_S", OFTEN_S)
    with serving() as one:
        configure(one.url)
        yield one
        crucible.shutdown(timeout_s=1)
    wait_until(is_quiet)


def configure(api: str | None) -> None:
    crucible.configure("t", endpoint="http://127.0.0.1:1", spool_dir="", api=api)


def wait_until(is_so: Callable[[], object], timeout_s: float = 10) -> None:
    """Wait for what another thread does."""
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not is_so():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        pause.wait(0.002)


def is_quiet() -> bool:
    return health.THREAD_NAME not in {thread.name for thread in threading.enumerate()}


def test_a_run_that_nothing_can_save_should_stop_and_the_reasons_are_told(api: Api) -> None:
    api.data = CRITICAL
    with crucible.training(run_id="r 1/ä") as training:
        wait_until(training.should_stop)
        told = training.should_stop()
    text, since = "loss was not finite 41 times", "2026-11-23T10:00:00Z"
    reason = Reason("critical", text, "loss", "non_finite", since, REASON["period_id"])
    assert told == Health("r 1/ä", "critical", should_stop=True, reasons=(reason,))
    assert api.asked[0][0] == "/api/v1/runs/r%201%2F%C3%A4/health"


def test_a_verdict_alone_stops_nothing(api: Api) -> None:
    api.data = {**CRITICAL, "should_stop": False}
    with crucible.training() as training:
        wait_until(lambda: training.should_stop().verdict == "critical")
        assert not training.should_stop()


def test_the_loop_of_the_guide_ends_early(api: Api) -> None:
    api.data = CRITICAL
    with crucible.training() as training:
        for epoch in training.epochs(10_000):
            epoch.log(loss=1.0)
            if training.should_stop():
                training.stop_early()
            else:
                wait_until(training.should_stop)
    assert epoch.index == 1
    assert training._status(None) == "early_stopped"


def test_the_first_call_does_not_wait_and_tells_what_is_known(api: Api) -> None:
    api.may_answer.clear()
    api.data = CRITICAL
    with crucible.training(run_id="r") as training:
        assert training.should_stop() == Health("r")
        wait_until(lambda: api.asked)
        assert training.should_stop() == Health("r")
        api.may_answer.set()
        wait_until(training.should_stop)


def test_who_never_asks_has_no_thread_and_sends_no_request(api: Api) -> None:
    with crucible.training() as training:
        training.log(loss=1.0)
        assert is_quiet()
    assert api.asked == []


def test_a_run_is_asked_about_again_and_its_verdict_follows(api: Api) -> None:
    with crucible.training() as training:
        wait_until(lambda: training.should_stop().verdict == "healthy")
        api.data = CRITICAL
        wait_until(training.should_stop)
        api.data = HEALTHY
        wait_until(lambda: not training.should_stop())


def test_an_unchanged_answer_is_not_sent_again(api: Api) -> None:
    api.data, api.etag = CRITICAL, '"one"'
    with crucible.training() as training:
        wait_until(training.should_stop)
        wait_until(lambda: api.unchanged_count > 2)
        assert training.should_stop().verdict == "critical"


def test_a_run_that_the_collector_has_not_heard_of_is_unknown_and_no_fault(api: Api) -> None:
    api.data = None
    with crucible.training(run_id="r") as training:
        training.should_stop()
        wait_until(lambda: len(api.asked) > 2)
        assert training.should_stop() == Health("r")
    assert "health" not in faults.counts()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[1]",
        b'{"data": null}',
        b'{"data": {"verdict": "fine", "should_stop": true}}',
        b'{"data": {"verdict": ["healthy"]}}',
        b"\xff\xfe",
    ],
)
def test_an_answer_that_is_none_stops_nothing_and_is_told_once(
    api: Api, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    api.body = body
    with crucible.training(run_id="r") as training:
        training.should_stop()
        wait_until(lambda: faults.counts().get("health", 0) > 2)
        assert training.should_stop() == Health("r")
    assert sum("does not say how a run is" in record.message for record in caplog.records) == 1


def test_reasons_that_are_none_are_left_out() -> None:
    data = {"verdict": "warning", "should_stop": "yes", "reasons": [3, None, {"text": "t"}]}
    told = health.health_of("r", json.dumps({"data": data}).encode())
    assert told == Health("r", "warning", should_stop=False, reasons=(Reason("", "t"),))


def test_what_was_said_holds_for_a_while_and_no_longer(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.data = CRITICAL
    with crucible.training(run_id="r") as training:
        wait_until(training.should_stop)
        api.status = 503
        wait_until(lambda: faults.counts().get("health", 0) > 2)
        assert training.should_stop()
        monkeypatch.setattr(health, "KNOWN_FOR_S", 0.0)
        wait_until(lambda: training.should_stop() == Health("r"))


def test_nobody_answering_is_told_once_and_costs_the_training_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "INTERVAL_S", OFTEN_S)
    configure("http://127.0.0.1:1")
    with crucible.training(run_id="r") as training:
        assert not training.should_stop()
        wait_until(lambda: faults.counts().get("health", 0) > 2)
        assert training.should_stop() == Health("r")
    wait_until(is_quiet)
    assert sum("does not say how a run is" in record.message for record in caplog.records) == 1


def test_one_thread_asks_about_all_open_runs_and_ends_with_the_last(api: Api) -> None:
    with crucible.training(run_id="a") as first:
        with crucible.training(run_id="b") as second:
            first.should_stop()
            second.should_stop()
            wait_until(lambda: {path.split("/")[-2] for path, _ in api.asked} == {"a", "b"})
            names = [thread.name for thread in threading.enumerate()]
            assert names.count(health.THREAD_NAME) == 1
        assert not is_quiet()
    wait_until(is_quiet)


def test_a_run_that_was_dropped_is_not_kept_by_being_asked_about(api: Api) -> None:
    training = crucible.training()
    training.open()
    training.should_stop()
    wait_until(lambda: api.asked)
    crucible.scope.current_scope.set(None)
    del training
    gc.collect()
    wait_until(is_quiet)


def test_before_its_beginning_and_after_its_end_nobody_is_asked(api: Api) -> None:
    training = crucible.training(run_id="r")
    assert training.should_stop() == Health("r")
    assert is_quiet()
    api.data = CRITICAL
    with training:
        wait_until(training.should_stop)
    wait_until(is_quiet)
    asked = len(api.asked)
    assert training.should_stop()
    assert len(api.asked) == asked
    other = crucible.training(run_id="other")
    with other:
        pass
    assert other.should_stop() == Health("other")
    assert is_quiet()


def test_shutdown_breaks_a_request_off(api: Api) -> None:
    api.may_answer.clear()
    training = crucible.training()
    training.open()
    training.should_stop()
    wait_until(lambda: api.asked)
    crucible.scope.current_scope.set(None)
    begun_s = time.monotonic()
    crucible.shutdown(timeout_s=1)
    wait_until(is_quiet, timeout_s=1)
    assert time.monotonic() - begun_s < 1.5
    assert "health" not in faults.counts()


def test_a_configuration_after_another_asks_again(api: Api) -> None:
    with crucible.training() as training:
        wait_until(lambda: training.should_stop().verdict == "healthy")
    configure(api.url)
    api.data = CRITICAL
    with crucible.training() as training:
        wait_until(training.should_stop)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_knows_what_was_known_and_asks_about_its_own_runs_only(api: Api) -> None:
    api.data = CRITICAL
    with crucible.training(run_id="parent") as training, crucible.training() as unasked:
        wait_until(training.should_stop)
        child = os.fork()
        if not child:
            is_right = bool(training.should_stop()) and not unasked.should_stop() and is_quiet()
            with crucible.training(run_id="child") as own:
                own.should_stop()
                wait_until(own.should_stop)
            os._exit(0 if is_right else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        asked = len(api.asked)
        wait_until(lambda: len(api.asked) > asked)
        assert training.should_stop()


@pytest.mark.parametrize("switch", ["never configured", "CRUCIBLE_TELEMETRY", "api"])
def test_switched_off_nobody_is_asked(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if switch == "CRUCIBLE_TELEMETRY":
        monkeypatch.setenv("CRUCIBLE_TELEMETRY", "0")
        configure("http://127.0.0.1:1")
    elif switch == "api":
        configure("")
    with crucible.training(run_id="r") as training:
        assert training.should_stop() == Health("r")
        assert is_quiet()


@pytest.mark.parametrize(
    ("endpoint", "protocol", "environment", "url"),
    [
        (None, "grpc", {}, "http://localhost:8080"),
        ("http://10.0.0.7:4317", "grpc", {}, "http://10.0.0.7:8080"),
        ("https://c.example:4317", "grpc", {}, "https://c.example:8080"),
        ("http://[::1]:4318/v1/traces", "http/protobuf", {}, "http://[::1]:8080"),
        ("http://a:1", "grpc", {"CRUCIBLE_API_URL": "https://b/base/"}, "https://b/base"),
        ("unix:/run/collector.sock", "grpc", {"OTEL_EXPORTER_OTLP_INSECURE": "true"}, None),
    ],
)
def test_the_api_is_where_the_endpoint_is_unless_it_is_named(
    endpoint: str | None,
    protocol: str,
    environment: dict[str, str],
    url: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    crucible.configure("t", endpoint=endpoint, protocol=protocol, spool_dir="")
    place = telemetry.current().api
    assert (place.endpoint if place else None) == url
    crucible.shutdown(timeout_s=0.1)


@pytest.mark.parametrize(
    ("endpoint", "api", "goes_along"),
    [
        ("http://c:4317", None, True),
        ("https://c:4317", "https://c/api", True),
        ("https://c:4317", "http://c:8080", False),
        ("http://c:4317", "http://other:8080", False),
    ],
)
def test_the_endpoints_secrets_go_to_its_own_host_alone_and_never_in_the_clear(
    endpoint: str, api: str | None, goes_along: bool
) -> None:
    headers = {"authorization": "Bearer x"}
    crucible.configure("t", endpoint=endpoint, headers=headers, api=api, spool_dir="")
    place = telemetry.current().api
    assert place is not None
    assert place.headers == ((("authorization", "Bearer x"),) if goes_along else ())
    crucible.shutdown(timeout_s=0.1)


def test_headers_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as api:
        headers = {"x-key": "k"}
        crucible.configure(
            "t", endpoint="http://127.0.0.1:1", headers=headers, spool_dir="", api=api.url
        )
        with crucible.training() as training:
            wait_until(lambda: training.should_stop().verdict == "healthy")
        crucible.shutdown(timeout_s=0.5)
    assert api.asked[0][1]["x-key"] == "k"


def test_a_wrong_address_is_the_programmers_and_says_what_is_accepted() -> None:
    with pytest.raises(crucible.ConfigurationError, match="http:// or https:// and a host"):
        crucible.configure(api="localhost:8080")


def test_a_call_takes_well_under_a_microsecond(api: Api) -> None:
    with crucible.training() as training:
        wait_until(lambda: training.should_stop().verdict == "healthy")
        took_s = min(timeit.repeat(training.should_stop, number=10_000, repeat=5)) / 10_000
    assert took_s < 1e-6
