"""All that is stored, as it is stored: nothing missed and nothing twice, whoever wrote it and in which order."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from crucible_collector.api import server_sent
from crucible_collector.api.live import Follower, Live, Reset
from crucible_collector.api.live_rows import Batch, Windows, Wish
from crucible_collector.api.place import Place, PlaceError
from crucible_collector.api.routes.live import LiveStream
from crucible_collector.errors import DatabaseAwayError, OverloadedError
from crucible_collector.store import live as touched
from crucible_collector.store.connect import ingest_connection, reader_pool
from crucible_collector.store.read import Reader
from rows_of import SECOND_NS, Ingest, execute, ingest, rows_of, span_of, traces
from stored import Api, Stored, serving

PATH = "/api/v1/live"
# Of what is a day old by the database's clock, neighbours are told along with it (see live_rows_old.sql).
NOW_NS = time.time_ns()


@dataclass
class Told:
    kind: str
    body: dict[str, Any]


class Listening:
    """An open stream; reading from it waits for what comes."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.place = ""  # the last id that was told

    def next(self) -> Told:
        kind = ""
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.place = value
            elif name == "event":
                kind = value
            elif name == "data":
                return Told(kind, json.loads(value))
        raise EOFError

    def begin(self) -> str:
        """Up to where everything that is stored is told from then on."""
        while not self.place:
            line = next(self._lines)
            if line.startswith("id: "):
                self.place = line.removeprefix("id: ")
        return self.place

    def until_place(self) -> str:
        """The place after the messages that came last."""
        before, self.place = self.place, ""
        return self.begin() or before

    def steps(self, count: int) -> list[int]:
        """Steps of so many points, in the order in which they are told."""
        found: list[int] = []
        while len(found) < count:
            told = self.next()
            if told.kind == "points":
                found += [point["step"] for point in told.body["points"]]
        return found


@contextmanager
def listening(
    client: httpx.Client, last_event_id: str | None = None, **parameters: Any
) -> Iterator[Listening]:
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    with client.stream("GET", PATH, params=parameters, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Listening(response.iter_lines())


def ended(span: Span, seconds: float = 0.0) -> Span:
    """The span as one of a second that ended so long before (negative) or after NOW_NS."""
    span.end_time_unix_nano = NOW_NS + round(seconds * SECOND_NS)
    span.start_time_unix_nano = span.end_time_unix_nano - SECOND_NS
    return span


def batch(*steps: int, run: str = "run", seconds: float = 0.0) -> Message:
    """A span a step with its loss, ended so long before or after the usual."""
    spans = []
    for step in steps:
        span = span_of(
            step + 1,
            "crucible_train.batch",
            crucible__run__id=run,
            crucible__experiment__id=f"of-{run}",
            crucible__step=step,
            crucible__measurement__loss=float(step),
        )
        spans.append(ended(span, seconds))
    return traces(*spans)


@pytest.fixture
def collector(tmp_path: Path, database: str) -> Iterator[Ingest]:
    with ingest(database, tmp_path / "journal", received_ns=NOW_NS) as one:
        yield one


@pytest.fixture
def api(database: str) -> Iterator[Api]:
    with serving(database) as served:
        yield served


def test_what_is_ingested_is_told_once_as_other_questions_have_it(
    collector: Ingest, api: Api
) -> None:
    with listening(api.client) as heard:
        assert heard.next() == Told(
            "hello", {"kinds": ["anomaly", "event", "points", "run"], "heartbeat_s": 15.0}
        )
        heard.begin()
        collector.store(batch(1, 2))
        told = [heard.next() for _ in range(4)]
        heard.until_place()
        collector.store(batch(3))
        told += [heard.next() for _ in range(3)]
    by_kind = {
        kind: [each.body for each in told if each.kind == kind]
        for kind in Counter(each.kind for each in told)
    }
    assert by_kind["event"] == api.ask("/events", run="run")[::-1]
    assert [by_kind["run"][-1]] == api.ask("/runs")
    points = [point for each in by_kind["points"] for point in each["points"]]
    assert [(point["step"], point["value"]) for point in points] == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert {each["metric"] for each in by_kind["points"]} == {"loss"}


def test_what_was_missed_comes_after_resuming_from_two_collectors_and_late_rows_too(
    collector: Ingest, database: str, api: Api, tmp_path: Path
) -> None:
    collector.store(batch(0))
    with ingest(database, tmp_path / "other", received_ns=NOW_NS) as other:
        with listening(api.client, kinds="points") as heard:
            heard.begin()
            collector.store(batch(1, seconds=0))
            assert heard.steps(1) == [1]
            place = heard.until_place()
        collector.store(batch(2, 3))
        other.store(batch(4, run="other"))
        other.store(batch(5, seconds=-40 * 60))
        collector.store(batch(6, seconds=-3 * 86_400))
        with listening(api.client, place, kinds="points") as heard:
            assert sorted(heard.steps(5)) == [2, 3, 4, 5, 6]
            heard.until_place()
            other.store(batch(7))
            assert heard.steps(1) == [7]


def test_a_transaction_that_is_committed_after_a_later_one_is_told(
    collector: Ingest, database: str, api: Api, tmp_path: Path
) -> None:
    """By ids or times alone, the place would have moved beyond it."""
    with ExitStack() as stack:
        slow = stack.enter_context(closing(ingest_connection(database)))
        heard = stack.enter_context(listening(api.client, kinds="event"))
        heard.begin()
        with slow.transaction():
            slow.execute("select pg_current_xact_id()")
            collector.store(batch(1))
            assert heard.next().body["step"] == 1
            place = heard.until_place()
            slow.execute(
                "insert into crucible.spans (time, duration_ns, span_id, trace_id, resource_id, scope_id,"
                " name, step, run_id) select time, 0, 77, trace_id, resource_id, scope_id, name, 2, run_id"
                " from crucible.spans limit 1"
            )
            slow.execute(
                "insert into crucible.live_windows (row_count, times, spans_of) select 1,"
                " tstzmultirange(tstzrange(time, time, '[]')), array[run_id] from crucible.spans limit 1"
            )
        assert heard.next().body["step"] == 2
        with listening(api.client, place, kinds="event") as resumed:
            assert resumed.next().kind == "hello"
            assert resumed.next().body["step"] == 2


def test_filters_choose_runs_experiments_events_and_kinds(collector: Ingest, api: Api) -> None:
    with ExitStack() as stack:

        def heard(**parameters: Any) -> Listening:
            one = stack.enter_context(listening(api.client, **parameters))
            one.begin()
            return one

        by_run = heard(run="a,c", kinds="event")
        by_experiment = heard(experiment="of-b", kinds="points")
        by_both = heard(run=["a", "b"], experiment="of-b", kinds="event")
        by_event = heard(events="crucible_train.epoch.stop", kinds=["event", "points"])
        collector.store(batch(1, run="a"), batch(2, run="b"), batch(3, run="c"))
        epoch = span_of(9, "crucible_train.epoch", crucible__run__id="b")
        collector.store(traces(ended(epoch)))
        assert [by_run.next().body["run_id"] for _ in range(2)] == ["a", "c"]
        assert by_experiment.next().body["run_id"] == "b"
        assert by_both.next().body["run_id"] == "b"
        assert by_event.next().body["event_name"] == "crucible_train.epoch.stop"


def test_who_leaves_takes_nothing_from_who_stays(collector: Ingest, api: Api) -> None:
    """What is read for all is not a question of the one who came first."""
    with ExitStack() as left:
        left.enter_context(listening(api.client, kinds="points")).begin()
        with listening(api.client, kinds="points") as stays:
            stays.begin()
            left.close()
            for step in range(3):
                collector.store(batch(step))
                assert stays.steps(1) == [step]


def test_anomalies_are_told_with_what_happened_to_them(stored_feed: Stored, api: Api) -> None:
    with listening(api.client, run="run-1") as heard:
        heard.begin()
        stored_feed.fed("opened", run_id="run-2")
        stored_feed.fed("escalated", run_id="run-1")
        told = heard.next()
    assert told == Told(
        "anomaly", {"severity": "warning", "run_id": "run-1", "change": "escalated"}
    )


@pytest.fixture
def stored_feed(database: str) -> Iterator[Stored]:
    with closing(ingest_connection(database)) as connection:
        yield Stored(connection)


def test_a_window_with_refused_rows_is_told(collector: Ingest, database: str, api: Api) -> None:
    """Savepoints give its rows other transaction ids."""
    with listening(api.client, kinds="points") as heard:
        heard.begin()
        collector.transact(collector.rows(batch(1)), careful=True)
        assert heard.steps(1) == [1]
    assert [row["is_exact"] for row in rows_of(database, "live_windows")] == [False]


def test_a_place_that_nobody_can_go_on_from_is_told_as_a_reset(api: Api, collector: Ingest) -> None:
    with listening(api.client) as heard:
        place = Place.decode(heard.begin())
    all_unusable = (
        replace(place, time_s=place.time_s - 601),
        replace(place, database="another"),
        replace(place, seen="1:999999999:"),
        replace(place, feed_id=7),
    )
    for step, unusable in enumerate(all_unusable):
        with listening(api.client, unusable.encode(), kinds="points") as heard:
            assert heard.next().kind == "hello"
            assert heard.next().kind == "reset"
            heard.until_place()
            collector.store(batch(step))
            assert heard.steps(1) == [step]


@pytest.mark.parametrize(
    "parameters", [{"after": "x"}, {"after": "W10"}, {"kinds": "spans"}, {"runn": "7"}]
)
def test_a_question_that_is_wrong_is_refused(api: Api, parameters: dict[str, Any]) -> None:
    assert api.client.get(PATH, params=parameters).status_code == 422


def test_no_text_but_a_place_is_taken_for_one() -> None:
    place = Place("7-1-5", 1.5, "3:5:4", 2, 4, "3:9:")
    assert Place.decode(place.encode()) == place
    for text in ("", "!", "bnVsbA", replace(place, seen="x").encode(), "A" * 20_000):
        with pytest.raises(PlaceError):
            Place.decode(text)


class Counted:
    """Reads that are counted, and may be away."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.asked: Counter[str] = Counter()
        self.is_away = False

    def json_rows(self, question: str, /, **parameters: object) -> list[str]:
        self.asked[question] += 1
        if self.is_away:
            raise DatabaseAwayError("away")
        return self._reader.json_rows(question, **parameters)


@pytest.fixture
def reads(database: str) -> Iterator[Counted]:
    with reader_pool(database) as pool:
        yield Counted(Reader(pool))


async def told(follower: Follower, count: int) -> list[str]:
    """The texts of so many rows."""
    texts: list[str] = []
    while len(texts) < count:
        found = await asyncio.wait_for(follower.next(5), 20)
        assert isinstance(found, Batch)
        texts += [row.text for row in found.rows]
    return texts


EVENTS = Wish(frozenset({"event"}))


def test_a_hundred_listeners_cost_one_read(reads: Counted, collector: Ingest) -> None:
    async def run() -> None:
        live = Live(reads, poll_s=0.01)
        wish = replace(EVENTS, runs=frozenset({"run"}))
        followers = [await live.listen(None, wish) for _ in range(100)]
        with pytest.raises(OverloadedError):
            await live.listen(None, wish)
        for each in followers:
            await each.begun()
        await asyncio.to_thread(collector.store, batch(1, 2))
        texts = [await told(each, 2) for each in followers]
        assert all(each == texts[0] for each in texts)
        assert reads.asked["live_events"] == 1
        for each in followers:
            each.leave()

    asyncio.run(run())


def test_who_is_further_behind_than_what_is_shared_reads_on_alone(
    reads: Counted, collector: Ingest
) -> None:
    async def run() -> None:
        live = Live(reads, poll_s=0.01, ring_characters_max=1)
        slow, quick = await live.listen(None, EVENTS), await live.listen(None, EVENTS)
        await slow.begun()
        await quick.begun()
        for step in range(5):
            await asyncio.to_thread(collector.store, batch(step))
            await told(quick, 1)
        steps = [json.loads(text)["step"] for text in await told(slow, 5)]
        assert steps == [0, 1, 2, 3, 4]
        await asyncio.to_thread(collector.store, batch(5))
        assert [json.loads(text)["step"] for text in await told(slow, 1)] == [5]
        slow.leave()
        quick.leave()

    asyncio.run(run())


def test_many_windows_are_told_in_steps_and_any_step_can_be_resumed_from(
    reads: Counted, collector: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crucible_collector.api.live_rows.ROWS_MAX", 3)

    async def run() -> None:
        windows = Windows(reads)
        begin = await windows.now()
        for step in range(6):
            await asyncio.to_thread(collector.store, batch(step))
        live = Live(reads, poll_s=0.01)
        place, steps = begin, list[int]()
        while len(steps) < 6:
            follower = await live.listen(place, EVENTS)
            await follower.begun()
            found = await follower.next(5)
            assert isinstance(found, Batch)
            steps += [json.loads(row.text)["step"] for row in found.rows]
            place = Place.decode(found.after.encode())
            follower.leave()
        assert steps == [0, 1, 2, 3, 4, 5]

    asyncio.run(run())


def test_a_database_that_was_away_is_followed_on(
    reads: Counted, collector: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crucible_collector.api.live._AWAY_POLL_S", 0.01)

    async def run() -> None:
        live = Live(reads, poll_s=0.01)
        follower = await live.listen(None, EVENTS)
        await follower.begun()
        reads.is_away = True
        with pytest.raises(DatabaseAwayError):
            await live.listen(None, EVENTS)
        await asyncio.to_thread(collector.store, batch(1))
        reads.is_away = False
        assert len(await told(follower, 1)) == 1
        follower.leave()

    asyncio.run(run())


def test_a_database_that_was_set_back_is_told_to_those_who_follow(
    reads: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        live = Live(reads, poll_s=0.01)
        follower = await live.listen(None, EVENTS)
        await follower.begun()
        now = await live.windows.now()

        async def set_back() -> Place:
            return replace(now, seen="3:3:")

        monkeypatch.setattr(live.windows, "now", set_back)
        assert isinstance(await asyncio.wait_for(follower.next(5), 20), Reset)
        follower.leave()

    asyncio.run(run())


def test_whoever_takes_nothing_is_let_go_and_a_stop_ends_the_rest(
    reads: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_sent, "SEND_TIMEOUT_S", 0.02)

    async def run() -> None:
        live = Live(reads, poll_s=0.01)
        answer = LiveStream(await live.listen(None, EVENTS))
        never = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await never.wait()
            raise AssertionError

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                await never.wait()

        await asyncio.wait_for(answer({"type": "http"}, receive, send), 5)
        assert not live._listeners
        follower = await live.listen(None, EVENTS)
        await follower.begun()
        live.close()
        assert await asyncio.wait_for(follower.next(5), 5) is None
        with pytest.raises(OverloadedError):
            await live.listen(None, EVENTS)
        follower.leave()

    asyncio.run(run())


def test_what_was_touched_is_forgotten_after_a_while(collector: Ingest, database: str) -> None:
    collector.store(batch(1))
    collector.store(batch(2))
    execute(
        database,
        "update crucible.live_windows set written_at = now() - interval '16 minutes'"
        " where window_xid = (select min(window_xid) from crucible.live_windows)",
    )
    with closing(ingest_connection(database)) as connection:
        assert touched.forget(connection) == 1
    assert len(rows_of(database, "live_windows")) == 1
