"""Which events are sent: prefixes end at dots, the longest decides, deny wins a tie, all is counted."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import crucible_telemetry as crucible
from crucible_telemetry.readings import ConfigurationError
from crucible_telemetry.subscription import Subscription


@pytest.mark.parametrize(
    ("allow", "deny", "taken", "left_out"),
    [
        ([], [], ["a.b.c"], []),
        ([], ["crucible_train.batch"], ["crucible_train.batches.stop", "crucible_train"],
         ["crucible_train.batch.stop", "crucible_train.batch"]),
        (["crucible_train"], [], ["crucible_train.epoch.stop"], ["crucible_xai.x.y"]),
        (["a.b"], ["a"], ["a.b.c"], ["a.c.d", "b"]),
        (["a"], ["a.b"], ["a.c"], ["a.b.c"]),
        (["a.b"], ["a.b"], [], ["a.b.c"]),
        (["*"], ["a"], ["b.c"], ["a.c"]),
        (["a.b.c"], ["*"], ["a.b.c"], ["a.b.d"]),
        (["a.*"], [], ["a.b"], ["b.a"]),
    ],
)  # fmt: skip
def test_the_longest_prefix_decides_and_deny_wins_a_tie(
    allow: list[str], deny: list[str], taken: list[str], left_out: list[str]
) -> None:
    subscription = Subscription(allow, deny)
    assert [name for name in taken if not subscription.takes(name)] == []
    assert [name for name in left_out if subscription.takes(name)] == []
    assert subscription.left_out_count == len(left_out)


parts = st.lists(st.sampled_from("ab"), min_size=1, max_size=3)
prefixes = st.lists(parts.map(".".join), max_size=3)


@given(prefixes, prefixes, parts)
def test_a_longer_rule_overrules_a_shorter_one_always(
    allow: list[str], deny: list[str], name: list[str]
) -> None:
    lengths = {
        verdict: max((rule.count(".") + 1 for rule in rules if name[: rule.count(".") + 1] == rule.split(".")), default=0)
        for verdict, rules in (("allow", allow), ("deny", deny))
    }  # fmt: skip
    expected = (
        lengths["allow"] > lengths["deny"] if lengths["allow"] or lengths["deny"] else not allow
    )
    assert Subscription(allow, deny).takes(".".join(name)) is expected


def test_a_name_under_which_others_send_an_event_is_the_events_own() -> None:
    subscription = Subscription(deny=["crucible_train.epoch"])
    assert not subscription.takes("crucible_kitchen.training.epoch")


def test_threads_count_together() -> None:
    subscription = Subscription(deny=["a"])

    def work() -> None:
        for _ in range(2_000):
            subscription.takes("a.b")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert subscription.left_out_count == 8_000


def train(exporter: InMemorySpanExporter, **settings: object) -> list[str]:
    crucible.configure(exporter=exporter, **settings)  # type: ignore[arg-type]
    with crucible.experiment("sweep"), crucible.training() as training:
        for epoch in training.epochs(1):
            for batch in epoch.batches("ab"):
                batch.log(loss=0.5)
        training.checkpoint("model.pt")
    assert crucible.flush()
    return [span.name.removeprefix("crucible_train.") for span in exporter.get_finished_spans()]


def test_what_is_denied_is_counted_and_not_sent() -> None:
    sent = train(
        InMemorySpanExporter(),
        events_deny=["crucible_train.batch", "crucible_train.checkpoint", "crucible_telemetry"],
    )
    assert sent == ["training.start", "epoch.start", "epoch", "training"]
    assert crucible.counts()["unsubscribed"] == 2 + 1 + 2


def test_only_what_is_allowed_is_sent() -> None:
    assert train(InMemorySpanExporter(), events_allow="crucible_train.epoch.stop") == ["epoch"]


def test_the_environment_subscribes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRUCIBLE_EVENTS_ALLOW", "crucible_train, other")
    monkeypatch.setenv("CRUCIBLE_EVENTS_DENY", "crucible_train.batch,crucible_train.epoch")
    sent = train(InMemorySpanExporter())
    assert sent == ["training.start", "checkpoint.saved", "training"]
    assert train(InMemorySpanExporter(), events_deny=[])[-1] == "training"


def test_an_exception_is_another_event_than_a_stop() -> None:
    exporter = InMemorySpanExporter()
    crucible.configure(exporter=exporter, events_allow=["crucible_train.training.exception"])
    with crucible.training(), crucible.training() as inner:
        inner.log(loss=0.5)
    with pytest.raises(ValueError, match="boom"), crucible.training():
        raise ValueError("boom")
    assert crucible.flush()
    assert [span.name for span in exporter.get_finished_spans()] == ["crucible_train.training"]


@pytest.mark.parametrize("wrong", [3, [1], [None]])
def test_what_is_no_list_of_names_is_told(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="events_deny"):
        crucible.configure(events_deny=wrong)  # type: ignore[arg-type]
