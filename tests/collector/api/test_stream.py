"""The feed of anomalies as server-sent events: in order, resumed by id, bounded, and over at a stop."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from crucible_collector.api import api_server, create_app, server_sent
from crucible_collector.api.feed import Entry, Feed, Gap
from crucible_collector.api.routes import stream
from crucible_collector.errors import DatabaseAwayError, OverloadedError
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from stored import Api, Health, Stored

PATH = "/api/v1/anomalies/stream"


@dataclass
class Told:
    """One event as its lines say."""

    kind: str
    feed_id: int
    body: dict[str, Any]


@dataclass
class Listening:
    """An open stream; reading from it waits for what comes."""

    lines: Iterator[str]
    place: int | None = None  # the last id that was told

    def next(self) -> Told:
        """The next event, which comments are not."""
        kind, data = None, None
        for line in self.lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.place = int(value)
            elif name == "event":
                kind = value
            elif name == "data":
                data = value
            elif not line and data is not None:
                assert kind is not None
                assert self.place is not None
                return Told(kind, self.place, json.loads(data))
        raise EOFError

    def begin(self) -> int:
        """The place that is told at first; what is stored from here on is heard."""
        for line in self.lines:
            if line.startswith("id: "):
                self.place = int(line[4:])
                return self.place
        raise EOFError


@contextmanager
def listening(
    client: httpx.Client, last_event_id: int | None = None, **parameters: Any
) -> Iterator[Listening]:
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    with client.stream("GET", PATH, params=parameters, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        yield Listening(response.iter_lines())


def test_what_happens_is_told_as_it_happens(stored: Stored, api: Api) -> None:
    stored.fed("opened", run_id="before")
    with listening(api.client) as heard:
        heard.begin()
        first = stored.fed("opened", run_id="run-1", flag={"value": "NaN"}, text="a\nb\u2028c")
        second = stored.fed("resolved", run_id="run-1")
        told = [heard.next(), heard.next()]
    body = {"severity": "warning", "run_id": "run-1"}
    assert told == [
        Told("opened", first, {**body, "flag": {"value": "NaN"}, "text": "a\nb\u2028c"}),
        Told("resolved", second, body),
    ]


def test_a_reader_resumes_where_it_was(stored: Stored, api: Api) -> None:
    ids = [stored.fed(run_id=f"run-{number}") for number in range(4)]
    with listening(api.client, after=ids[0]) as heard:
        assert [heard.next().feed_id for _ in range(3)] == ids[1:]
    # EventSource repeats its address, and says by the header how far it had come.
    with listening(api.client, ids[2], after=ids[0]) as heard:
        assert heard.next().feed_id == ids[3]


def test_filters_leave_out_and_their_readers_do_not_fall_behind(stored: Stored, api: Api) -> None:
    with listening(api.client, run="run-1", experiment="sweep", severity="warning") as heard:
        heard.begin()
        for other in ({"run_id": "run-2"}, {"experiment_id": "x"}, {"severity": "info"}):
            stored.fed(**{"run_id": "run-1", "experiment_id": "sweep", **other})
        wanted = stored.fed(run_id="run-1", experiment_id="sweep", severity="critical")
        assert heard.next().feed_id == wanted
        left_out = stored.fed(run_id="run-2")
        while heard.place != left_out:
            heard.begin()


def test_whoever_was_away_for_too_long_is_told_of_the_gap(stored: Stored, api: Api) -> None:
    ids = [stored.fed(number=number) for number in range(4)]
    stored.conn.execute("delete from crucible.anomaly_feed where feed_id <= %s", (ids[1],))
    with listening(api.client, after=ids[0]) as heard:
        gap = heard.next()
        assert (gap.kind, gap.body) == ("gap", {"after": ids[0], "continues_after": ids[1]})
        assert heard.next().feed_id == ids[2]
    # No gap where nothing is missing.
    with listening(api.client, after=ids[1]) as heard:
        assert heard.next().feed_id == ids[2]


def test_an_id_of_another_database_is_a_gap(stored: Stored, api: Api) -> None:
    newest = stored.fed()
    with listening(api.client, after=newest + 1000) as heard:
        assert heard.next().kind == "gap"
        following = stored.fed()
        assert heard.next().feed_id == following


@pytest.mark.parametrize("parameters", [{"after": -1}, {"after": "x"}, {"runn": "7"}])
def test_a_question_that_is_wrong_is_refused(api: Api, parameters: dict[str, Any]) -> None:
    assert api.client.get(PATH, params=parameters).status_code == 422


def test_a_comment_tells_that_nothing_happened(
    stored: Stored, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_sent, "HEARTBEAT_S", 0.05)
    newest = stored.fed()
    with listening(api.client) as heard:
        heard.begin()
        while next(heard.lines) != ": nothing new":
            pass
        assert heard.begin() == newest


def test_the_end_of_the_server_ends_streams_and_is_not_held_up(
    stored: Stored, database: str
) -> None:
    newest = stored.fed()
    with reader_pool(database) as pool:
        server = api_server(create_app(Reader(pool), Health()))
        host, port = server.start("127.0.0.1", 0)
        with (
            httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as client,
            listening(client) as heard,
        ):
            assert heard.begin() == newest
            begin = time.monotonic()
            server.stop()
            with pytest.raises(EOFError):
                heard.next()
    assert time.monotonic() - begin < 3  # the grace would be 5


@dataclass
class Rows:
    """A feed in memory, which counts how often it is asked, and may be away."""

    entries: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    is_away: bool = False

    def json_rows(self, question: str, /, **parameters: Any) -> list[str]:
        if self.is_away:
            raise DatabaseAwayError("away")
        if question == "anomaly_feed_extent":
            found = {
                "oldest": min(self.entries, default=None),
                "newest": max(self.entries, default=None),
            }
            return [json.dumps(found)]
        self.asked.append(parameters["after"])
        after = [each for each in self.entries if each > parameters["after"]]
        return [
            json.dumps({"feed_id": each, "kind": "opened", "body": {"number": each}})
            for each in after[: parameters["limit"]]
        ]


def numbers(entries: list[Entry] | None) -> list[int]:
    assert entries is not None
    return [each.feed_id for each in entries]


def test_many_listeners_ask_the_database_as_often_as_one_and_none_never() -> None:
    async def run() -> None:
        rows = Rows([1])
        feed = Feed(rows, poll_s=0.01)
        await asyncio.sleep(0.05)
        assert rows.asked == []
        listeners = [await feed.listen(None) for _ in range(20)]
        rows.entries += [2, 3]
        found = [await each.next(5) for each in listeners]
        assert list(map(numbers, found)) == [[2, 3]] * 20
        # Nothing but the one task's questions, each after what the one before found.
        assert rows.asked.count(3) + rows.asked.count(1) == len(rows.asked)
        for each in listeners:
            each.leave()
        await asyncio.sleep(0)
        asked = len(rows.asked)
        await asyncio.sleep(0.05)
        assert len(rows.asked) == asked

    asyncio.run(run())


def test_a_slow_listener_misses_nothing_and_memory_is_bounded() -> None:
    async def run() -> None:
        rows = Rows([0])
        feed = Feed(rows, poll_s=0.001, recent_max=10)
        slow, fast = await feed.listen(None), await feed.listen(None)
        rows.entries += range(1, 1700)
        heard: list[int] = []
        while not heard or heard[-1] < 1699:
            heard += numbers(await fast.next(5))
        assert len(feed._recent) == 10
        late: list[int] = []
        while not late or late[-1] < 1699:
            late += numbers(await slow.next(5))
        assert heard == late == list(range(1, 1700))
        slow.leave()
        fast.leave()
        assert not feed._recent

    asyncio.run(run())


def test_no_more_may_listen_than_the_limit() -> None:
    async def run() -> None:
        feed = Feed(Rows(), listeners_max=2)
        first, _ = await feed.listen(None), await feed.listen(None)
        with pytest.raises(OverloadedError):
            await feed.listen(None)
        first.leave()
        third = await feed.listen(None)
        assert numbers(await third.next(0.01)) == []
        feed.close()
        await asyncio.sleep(0)
        assert await third.next(5) is None
        with pytest.raises(OverloadedError):
            await feed.listen(None)

    asyncio.run(run())


def test_a_database_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crucible_collector.api.feed._AWAY_POLL_S", 0.01)

    async def run() -> None:
        rows = Rows([1])
        feed = Feed(rows, poll_s=0.01)
        listener = await feed.listen(None)
        rows.is_away = True
        assert numbers(await listener.next(0.05)) == []
        with pytest.raises(DatabaseAwayError):
            await feed.listen(None)
        rows.entries.append(2)
        rows.is_away = False
        assert numbers(await listener.next(5)) == [2]
        # It comes back as of an earlier time: ids will be given again.
        rows.is_away = True
        await asyncio.sleep(0.05)
        rows.entries, rows.is_away = [1], False
        assert await listener.next(5) is None
        listener.leave()
        resumed = await feed.listen(listener.place)
        assert resumed.gap == Gap(after=2, place=1)
        resumed.leave()

    asyncio.run(run())


def test_whoever_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_sent, "SEND_TIMEOUT_S", 0.02)

    async def run() -> None:
        feed = Feed(Rows([1]), poll_s=0.01)
        answer = stream.EventStream(await feed.listen(0), stream.StreamFilter.model_validate({}))
        never = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await never.wait()
            raise AssertionError

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                await never.wait()

        await asyncio.wait_for(answer({"type": "http"}, receive, send), 5)
        assert not feed._listeners

    asyncio.run(run())
