"""Requests as detectors see them: checked, journalled, decoded and looked at, each the real thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from google.protobuf.message import Message

from crucible_collector.batch import Spans
from crucible_collector.decode import decode_metrics, decode_spans
from crucible_collector.detect.observations import Observations, Source, Subject
from crucible_collector.enrich.candidates import Received
from crucible_collector.enrich.metrics import add_metrics
from crucible_collector.enrich.observed import observe_spans
from crucible_collector.enrich.observed_metrics import observe_metrics
from crucible_collector.enrich.spans import look_at_spans
from crucible_collector.enrich.subscription import EVERYTHING, Subscription
from crucible_collector.enrich.window import Collected, Known, LookedAt
from crucible_collector.journal import Journal, Window
from rows_of import entry_of, write_entries

Wants = Callable[[Subject], bool]


class Observer:
    """One journal, whose windows are decoded and looked at as `prepare` does."""

    def __init__(self, journal: Journal, subscription: Subscription = EVERYTHING) -> None:
        self.journal = journal
        self.collected = Collected(Known((), (), ()), subscription)

    def window(self, *requests: Message) -> Window:
        return write_entries(self.journal, map(entry_of, requests))

    def look(self, *requests: Message, refused: tuple[int, ...] = ()) -> LookedAt[Spans]:
        window = self.window(*requests)
        spans = decode_spans(window.buffer, window.body_offset, window.body_length)
        keep = np.ones(len(spans), np.bool_)
        keep[list(refused)] = False
        digest = np.arange(len(window.received_ns)).astype(np.uint64)
        return look_at_spans(spans, keep, Received(window.received_ns, digest), self.collected)

    def spans(
        self, *requests: Message, wants: Wants, refused: tuple[int, ...] = ()
    ) -> Observations | None:
        return observe_spans(self.look(*requests, refused=refused), self.collected, wants)

    def metrics(self, *requests: Message, wants: Wants, add: bool = False) -> Observations | None:
        window = self.window(*requests)
        found = decode_metrics(window.buffer, window.body_offset, window.body_length)
        arguments = found, np.ones(len(found), np.bool_), window.received_ns, self.collected
        observed = observe_metrics(*arguments, wants)
        if add:
            add_metrics(*arguments)
        return observed


@contextmanager
def observing(directory: Path, subscription: Subscription = EVERYTHING) -> Iterator[Observer]:
    """An observer with a journal in `directory`."""
    with Journal.open(directory, segment_bytes=1 << 20, bytes_max=1 << 24) as journal:
        yield Observer(journal, subscription)


def everything(_: Subject) -> bool:
    return True


def of(*sources: Source) -> Wants:
    return lambda subject: subject.source in sources


def told(observations: Observations | None) -> list[tuple[str, str, float]]:
    """(event, metric, value) of each number, in order."""
    if observations is None:
        return []
    subjects = [observations.subjects[each] for each in observations.subject.tolist()]
    values = observations.value.tolist()
    return [
        (subject.event, subject.metric, value)
        for subject, value in zip(subjects, values, strict=True)
    ]
