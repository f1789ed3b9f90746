"""Both kinds of database answer every question with the very same JSON.

The same requests go through a collector onto each, and rows as sampling would leave them; then every
GET that OpenAPI describes is asked, with each of its parameters, page by page, and the texts are
compared. Roll-ups answer the same before they are refreshed or folded, after it, and after rows have
come days late.
"""

from __future__ import annotations

import functools
import re
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

import admitted
import flagged
import led
import numbered
import priced
import put_away
import taken_away
import varied
from databases import TestServer
from harness import Collector, collector, eventually
from rolled import put, settle
from rows_of import execute

# No run falls silent while this is tested.
ARGUMENTS = ("--stall-after-min-s", "86400")
# What tells of the time of asking, of the server or of its sizes: field, where, and why it differs.
DIFFERING = (
    ("last_received_at", "/runs", "when a collector got it, by its own clock"),
    ("first_seen", "/series", "when a collector first got one, by its own clock"),
    ("last_seen", "/series", "when a collector last got one, by its own clock"),
    ("detail", "/healthz", "versions of the server, and what the collector has just done"),
    ("changed_at", "/sampling", "when somebody changed the rules there"),
    ("changed_at", "/anomalies/settings", "when somebody changed the settings there"),
    *(
        (field, "/anomalies/settings", "how windows were cut, and when it was asked")
        for field in ("series_count", "memory_bytes", "value_count", "late_count")
    ),
    ("detail", "/readyz", "versions of the server, and what the collector has just done"),
    ("happened_at", "/audit", "when somebody changed something there"),
    ("checked_at", "/health", "the time of asking"),
    ("period_id", "/health", "random"),
)
# Of /metrics, which is text for Prometheus: what was sent is the same, times and sizes are not.
_SAME_METRICS = ("crucible_ledger_records", "crucible_received_records_total")
PAGES_MAX = 400
NOT_ASKED = (
    "/api/v1/anomalies/stream",
    "/api/v1/live",
    "/api/v1/exports/{export_id}/files/{name}",
)

Parameters = dict[str, str]
Begin = datetime


@dataclass(frozen=True)
class Asked:
    """A path of OpenAPI, what stands in it, and its parameters."""

    path: str
    parameters: Parameters
    places: Parameters

    @property
    def url(self) -> str:
        escaped = {
            name: quote(value, safe="/" if name == "metric" else "")
            for name, value in self.places.items()
        }
        return self.path.format(**escaped)


def asked(path: str, _places: Parameters | None = None, /, **parameters: object) -> Asked:
    """`from_` stands for the parameter `from`."""
    named = {name.rstrip("_"): str(value) for name, value in parameters.items()}
    return Asked(path, named, _places or {})


def examples(begin: Begin, series: dict[str, str]) -> Iterator[Asked]:
    """Questions that have answers; `series`: ids by metric."""
    yield from everything_kept(begin)
    yield from of_runs(begin)
    yield from of_series(begin, series)
    yield from aggregated(begin)
    yield from of_traces(begin)
    yield from of_sampling(begin)
    yield from of_detection()
    for path, places, parameters in (
        *flagged.questions(begin),
        *put_away.questions(),
        *taken_away.questions(),
        *admitted.questions(),
        *led.questions(begin),
        *numbered.questions(begin, series),
    ):
        yield asked(path, places, **parameters)
    for path, places, parameters in priced.questions(begin):
        yield asked(path, places, **parameters)


def after(begin: Begin, **passed: float) -> str:
    return (begin + timedelta(**passed)).isoformat().replace("+00:00", "Z")


def everything_kept(begin: Begin) -> Iterator[Asked]:
    yield from map(
        asked,
        ("/healthz", "/readyz", "/metrics", "/api/v1/ledger", "/api/v1/doctor", "/api/v1/schema"),
    )
    event = {"event_name": "crucible_train.epoch.stop"}
    yield asked("/api/v1/schema/events/{event_name}", event)
    path = "/api/v1/experiments"
    yield asked(path)
    yield asked(path, limit=1)
    yield asked(path, status="running")
    yield asked(f"{path}/{{experiment_id}}", {"experiment_id": "sweep"})
    yield asked(f"{path}/{{experiment_id}}", {"experiment_id": "lr-sweep"})
    path = "/api/v1/events"
    period = {"from_": after(begin, hours=3.3), "to": after(begin, hours=30)}
    filters: dict[str, Any]
    for filters in (
        {"limit": 150},
        {"experiment": "sweep", "limit": 50},
        {"run": "run-1"},
        {"event": "crucible_train.epoch.stop"},
        {"correlation": varied.CORRELATION},
        {"trace": f"{90_000 // 4 + 1:032x}"},
        {"status": "error", **period},
        {"keep_reason": "error,slow", "limit": 30},
        {"keep_reason": "error"},
    ):
        yield asked(path, **filters)
    path = "/api/v1/logs"
    for filters in (
        {"limit": 7},
        {"experiment": "sweep"},
        {"run": "run-0"},
        {"trace": f"{90_000 // 4 + 1:032x}"},
        {"severity": "warn", **period},
        {"keep_reason": "match"},
    ):
        yield asked(path, **filters)


def of_runs(begin: Begin) -> Iterator[Asked]:
    path = "/api/v1/runs"
    yield asked(path, limit=2)
    yield asked(path, experiment="sweep", status="running")
    yield asked(path, condition="lr=1e-3")
    for run in varied.RUNS:
        yield asked(f"{path}/{{run_id}}", {"run_id": run})
        yield asked(f"{path}/{{run_id}}/series", {"run_id": run}, limit=1)
    path = f"{path}/{{run_id}}/series/{{metric}}"
    loss = {"run_id": "run/2", "metric": "loss"}
    yield asked(path, {"run_id": "run-1", "metric": "loss"})
    yield asked(path, loss, limit=13, rank=1)
    yield asked(path, loss, event="crucible_train.batch.stop", from_step=3, to_step=90)
    yield asked(path, loss, from_=after(begin, hours=3.3), to=after(begin, hours=30))
    yield asked(path, loss, points_max=10)
    yield asked(path, loss, points_max=1000)


def of_series(begin: Begin, series: dict[str, str]) -> Iterator[Asked]:
    path = "/api/v1/series"
    yield asked(path, limit=60)
    yield asked(path, metric="loss", source="event")
    yield asked(path, service="gateway")
    yield asked(path, run="run-1")
    one = f"{path}/{{series_id}}"
    for metric in ("requests", "queue.length", "latency"):
        yield asked(one, {"series_id": series[metric]})
    period = {"from_": after(begin, hours=3.3, seconds=0.5), "to": after(begin, hours=31)}
    for metric in ("requests", "queue.length"):
        place = {"series_id": series[metric]}
        yield asked(f"{one}/points", place, limit=11)
        yield asked(f"{one}/points", place, **period)
        for interval in ("1m", "1h", "1d"):
            yield asked(f"{one}/aggregate", place, interval=interval, limit=17)
            yield asked(f"{one}/aggregate", place, interval=interval, **period)
    for metric in ("latency", "size", "wait"):
        yield asked(f"{one}/histograms", {"series_id": series[metric]}, limit=11)
        yield asked(f"{one}/histograms", {"series_id": series[metric]}, **period)


def aggregated(begin: Begin) -> Iterator[Asked]:
    odd = {"from_": after(begin, hours=1, seconds=12.5), "to": after(begin, hours=50, minutes=7.2)}
    path = "/api/v1/events/counts"
    filters: dict[str, Any]
    for filters in ({"limit": 20}, {"run": "run-1"}, {"experiment": "sweep", **odd}):
        yield asked(path, **filters)
    path = "/api/v1/events/aggregate"
    for filters in (
        {},
        odd,
        {"interval": "1m", "percentiles": "true", "limit": 300},
        {"interval": "1h", "group_by": "event,model", "limit": 100, **odd},
        {"interval": "1d", "group_by": "experiment,run,event,model,status", "limit": 300},
        {"group_by": "run", "percentiles": "true", **odd},
        {"experiment": "sweep", "group_by": "event"},
        {"run": "run-1", "interval": "1h"},
        {"event": "crucible_deployment.inference.stop", "interval": "1d", **odd},
        {"model": "large", "interval": "1d"},
        {"status": "error", "group_by": "event", "percentiles": "false"},
        {"event": "sampled.stop", "interval": "1d", "group_by": "status"},
    ):
        yield asked(path, **filters)


def of_traces(begin: Begin) -> Iterator[Asked]:
    period = {"from_": after(begin, hours=-1), "to": after(begin, days=3)}
    trace = {"trace_id": f"{90_000 // 4 + 1:032x}"}
    yield asked("/api/v1/traces/{trace_id}", trace, limit=3)
    yield asked("/api/v1/traces/{trace_id}", trace, **period)
    correlation = {"correlation_id": varied.CORRELATION}
    yield asked("/api/v1/correlations/{correlation_id}", correlation, limit=3)
    yield asked("/api/v1/correlations/{correlation_id}", correlation, **period)


def of_sampling(begin: Begin) -> Iterator[Asked]:
    path = "/api/v1/sampling"
    yield asked(path)
    yield asked(f"{path}/history", limit=1)
    filters: dict[str, Any]
    for filters in (
        {"limit": 2},
        {"rule": "thin", "interval": "1d"},
        {"signal": "log_records", "interval": "1h", "limit": 3},
        {"from_": after(begin, hours=3.3), "to": after(begin, hours=30), "interval": "1m"},
    ):
        yield asked(f"{path}/ledger", **filters)


def of_detection() -> Iterator[Asked]:
    path = "/api/v1/anomalies"
    yield asked(f"{path}/settings")
    yield asked(f"{path}/settings/history", limit=1)
    yield asked(f"{path}/watches")
    yield asked(f"{path}/watches", metric="loss")
    yield asked(f"{path}/watches", event="crucible_train.batch.stop", metric="never.sent")


# Of a metric that is never sent, so that the registry says what is watched.
WATCHES = tuple({"metrics": ["never.sent"], "sensitivity": each} for each in (1, 2))

# Of events that are never sent, so that everything is stored.
RULES = tuple(
    {"name": "none", "events": ["never.sent"], "strategy": "uniform", "probability": p}
    for p in (0.5, 0.25)
)


def have_rules(running: Collector) -> None:
    """Two versions of the sampling rules and of the settings of detection, the newer ones followed."""
    for rule in RULES:
        answer = httpx.put(f"{running.api}/api/v1/sampling", json={"rules": [rule]})
        assert answer.status_code == 200, answer.text
    eventually(lambda: is_followed(running, "sampling"), "the rules are followed")
    for watch in WATCHES:
        answer = httpx.put(f"{running.api}/api/v1/anomalies/settings", json={"rules": [watch]})
        assert answer.status_code == 200, answer.text
    eventually(lambda: is_followed(running, "anomalies/settings"), "so are the others")


def is_followed(running: Collector, path: str) -> bool:
    found: dict[str, Any] = running.get(f"/api/v1/{path}")["data"]
    return bool(found["collector"]["version"] == found["version"])


@dataclass
class Pair:
    """The same, sent to a collector on each kind of database."""

    begin: Begin
    dsns: list[str]
    collectors: list[Collector]
    clients: list[httpx.Client]
    sent: int = 0

    def send(self, requests: Iterable[varied.Sent]) -> None:
        """All of it, in order; returns when it is stored."""
        for each in requests:
            for running in self.collectors:
                request = urllib.request.Request(
                    f"{running.addresses['http']}/v1/{each.signal}",
                    each.body,
                    {"Content-Type": each.content_type},
                )
                with urllib.request.urlopen(request, timeout=30) as answer:
                    assert b"rejected" not in answer.read()
            self.sent += 1
        for running in self.collectors:
            eventually(functools.partial(is_stored, running), "everything sent is stored")

    def answers(self, question: Asked) -> list[list[str]]:
        """Of each collector, the pages of the answer."""
        with ThreadPoolExecutor(len(self.clients)) as pool:
            return list(pool.map(lambda client: list(pages(client, question)), self.clients))

    def series(self) -> dict[str, str]:
        [(text, *_), _] = self.answers(asked("/api/v1/series", service="gateway"))
        return {
            row["metric"]: row["series_id"] for row in httpx.Response(200, text=text).json()["data"]
        }


def is_stored(running: Collector) -> bool:
    """Whether everything that was acknowledged is in the ledger, which is written with the rows."""
    received = re.findall(
        r"^crucible_received_records_total\{.*\} (\S+)$", running.metrics(), re.MULTILINE
    )
    lines: list[dict[str, int]] = running.get("/api/v1/ledger")["data"]
    stored = sum(line["received_count"] for line in lines)
    return 0 < stored == sum(map(float, received))


def pages(client: httpx.Client, question: Asked) -> Iterator[str]:
    """Texts of the answer, with what may differ left out."""
    cursor: Parameters = {}
    for _ in range(PAGES_MAX):
        answer = client.get(question.url, params=question.parameters | cursor)
        assert answer.status_code == 200, (question, answer.text)
        if not answer.headers["content-type"].startswith("application/json"):
            yield "\n".join(
                line for line in answer.text.splitlines() if line.startswith(_SAME_METRICS)
            )
            return
        yield alike(question.path, answer.text)
        following = answer.json()["meta"].get("next_cursor")
        if following is None:
            return
        cursor = {"cursor": following}
    raise AssertionError(f"{question} has no end")


def alike(path: str, text: str) -> str:
    """The text of an answer without what differs by its nature."""
    if path == "/api/v1/doctor":  # what is said of a server is another matter of another server
        return re.sub(r"\[.*\]", "[…]", text, flags=re.DOTALL)
    for field, where, _ in DIFFERING:
        if where in path:
            text = re.sub(rf'("{field}":\s*)("[^"]*"|\d+)', r'\1"…"', text)
    return text


@pytest.fixture(scope="module")
def pair(
    plain_server: TestServer,
    timescale_server: TestServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    begin = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    place = tmp_path_factory.mktemp("same")
    with ExitStack() as stack:
        servers = (plain_server, timescale_server)
        dsns = [stack.enter_context(server.database()) for server in servers]
        running = [
            stack.enter_context(collector(place / f"data-{number}", dsn, *ARGUMENTS))
            for number, dsn in enumerate(dsns)
        ]
        clients = [
            stack.enter_context(httpx.Client(base_url=each.api, timeout=30)) for each in running
        ]
        found = Pair(begin - timedelta(days=4), dsns, running, clients)
        for each in running:
            have_rules(each)
        found.send(varied.requests(found.begin))
        for dsn in dsns:
            put(dsn, "spans", varied.sampled(found.begin))
            put(dsn, "logs", varied.sampled_logs(found.begin))
            put(dsn, "sampling_ledger", varied.counted(found.begin))
            put(dsn, "anomalies", flagged.flags(found.begin))
            put(dsn, "anomaly_periods", flagged.periods(found.begin))
            for relation, batch in flagged.well(found.begin).items():
                put(dsn, relation, batch)
            execute(dsn, flagged.scans(found.begin))
            execute(dsn, led.rows(found.begin))
            execute(dsn, put_away.archives(found.begin))
            execute(dsn, taken_away.exports(found.begin))
            execute(dsn, admitted.keys(found.begin))
            put(dsn, "spans", priced.calls(found.begin))
            put(dsn, "spans", numbered.checkpoints(found.begin))
            execute(dsn, priced.rows(found.begin))
        yield found


def assert_same(pair: Pair) -> dict[str, list[str]]:
    found = {}
    for question in examples(pair.begin, pair.series()):
        plain, timescale = pair.answers(question)
        assert plain == timescale, question
        found[f"{question.url}?{urlencode(question.parameters)}"] = plain
    return found


def test_both_kinds_answer_alike_before_and_after_roll_ups_come_to_rest(pair: Pair) -> None:
    before = assert_same(pair)
    for dsn in pair.dsns:
        settle(dsn)
    after_rest = assert_same(pair)
    assert after_rest == before
    pair.send(varied.late(pair.begin))
    for dsn in pair.dsns:
        settle(dsn)
    late = assert_same(pair)
    assert late != after_rest


def test_every_example_has_an_answer(pair: Pair) -> None:
    for question in examples(pair.begin, pair.series()):
        for text, *_ in pair.answers(question):
            assert '"data":[]' not in text, question
            assert text, question


def test_every_question_of_openapi_is_asked_with_all_of_its_parameters(pair: Pair) -> None:
    """Whoever adds a GET or a parameter of one adds an example here.

    Not of the streams, which have no end, nor of the files of exports, which are no answers of the database:
    their own tests ask for these.
    """
    used: defaultdict[str, set[str]] = defaultdict(set)
    for question in examples(pair.begin, pair.series()):
        used[question.path] |= set(question.parameters) - {"fields"}
        [answer, _] = pair.answers(question)
        if len(answer) > 1:
            used[question.path].add("cursor")
    for running in pair.collectors:
        paths = running.get("/openapi.json")["paths"]
        described = {
            path: {
                parameter["name"]
                for parameter in methods["get"].get("parameters", ())
                # It leaves the same out of every list, whatever the database.
                if parameter["in"] == "query" and parameter["name"] != "fields"
            }
            for path, methods in paths.items()
            if "get" in methods and path not in NOT_ASKED
        }
        assert described == dict(used)
