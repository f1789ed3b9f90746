"""The correlation id, and who belongs to whom across threads, tasks and processes."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import crucible_telemetry as crucible
from crucible_telemetry.scope import current_scope
from crucible_telemetry.testing import capture

CORRELATION = "crucible.correlation.id"


def test_the_correlation_id_is_the_experiments_trace_id_unless_given() -> None:
    with capture() as captured, crucible.experiment("sweep") as experiment:
        default = experiment.correlation_id
    assert default == f"{captured.spans[-1].context.trace_id:032x}"
    with capture(), crucible.experiment("sweep", correlation_id="job 7") as experiment:
        assert experiment.correlation_id == "job 7"
        assert experiment.training().correlation_id == "job 7"


@pytest.mark.parametrize("character", ["x", "é", "験", "🧪"])
def test_a_correlation_id_of_any_length_fits_its_column_and_stays_itself(character: str) -> None:
    ids = []
    for end in "ab":
        with capture(), crucible.training(correlation_id=character * 500 + end) as training:
            ids.append(training.correlation_id)
    assert all(len(given) <= 128 and len(given.encode()) <= 256 for given in ids)
    assert ids[0] != ids[1]


def test_the_correlation_id_comes_in_and_goes_out_as_w3c_baggage() -> None:
    arrived = propagate.extract({"baggage": f"{CORRELATION}=from-elsewhere"})
    token = context.attach(arrived)
    try:
        with capture(), crucible.experiment("sweep") as experiment:
            assert experiment.correlation_id == "from-elsewhere"
            with experiment.training(run_id="r 1"):
                carrier: dict[str, str] = {}
                propagate.inject(carrier)
    finally:
        context.detach(token)
    leaving = baggage.get_all(propagate.extract(carrier))
    assert leaving[CORRELATION] == "from-elsewhere"
    assert leaving["crucible.experiment.id"] == "sweep"
    assert leaving["crucible.run.id"] == "r 1"


def test_opentelemetrys_context_is_as_before_once_all_is_over() -> None:
    before = context.get_current()
    with capture(), crucible.experiment("sweep") as experiment, experiment.training() as training:
        for epoch in training.epochs(1):
            for _ in epoch.batches("ab"):
                break
    assert context.get_current() is before


def test_a_span_of_the_users_own_around_it_is_linked_not_a_parent() -> None:
    around = SpanContext(7, 9, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    with (
        trace.use_span(NonRecordingSpan(around)),
        capture() as captured,
        crucible.experiment("sweep"),
    ):
        pass
    experiment = captured.spans[-1]
    assert experiment.parent is None
    assert [link.context for link in experiment.links] == [around]


def test_tasks_side_by_side_each_have_their_own_run() -> None:
    async def run(name: str, others: asyncio.Barrier) -> None:
        with crucible.training(run_id=name) as training:
            for epoch in training.epochs(1):
                for batch in epoch.batches(range(3)):
                    await others.wait()
                    assert current_scope.get() is batch
                    batch.log(loss=1.0)

    async def main() -> None:
        others = asyncio.Barrier(3)
        with crucible.experiment("sweep"):
            await asyncio.gather(*(run(name, others) for name in "abc"))

    with capture() as captured:
        asyncio.run(main())
    batches = captured.named("crucible_train.batch.stop")
    assert {batch.attributes["crucible.experiment.id"] for batch in batches} == {"sweep"}
    for name in "abc":
        own = [batch for batch in batches if batch.attributes["crucible.run.id"] == name]
        assert [batch.attributes["crucible.step"] for batch in own] == [0, 1, 2]
        assert len({batch.span.context.trace_id for batch in own}) == 1


def test_a_cancelled_task_says_so() -> None:
    async def main() -> None:
        async def run() -> None:
            with crucible.training():
                await asyncio.Event().wait()

        task = asyncio.create_task(run())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with capture() as captured:
        asyncio.run(main())
    (stop,) = captured.named("crucible_train.training.stop")
    assert stop.attributes["crucible.status"] == "cancelled"


def test_threads_share_a_training_and_none_of_its_steps() -> None:
    with capture() as captured, crucible.training() as training, training.epoch() as epoch:

        def work() -> None:
            for _ in range(200):
                with epoch.batch() as batch:
                    batch.log(loss=1.0)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    batches = captured.named("crucible_train.batch.stop")
    assert sorted(batch.attributes["crucible.step"] for batch in batches) == list(range(800))
    (stop,) = captured.named("crucible_train.epoch.stop")
    assert stop.measurements["steps"] == 800
    assert stop.attributes["crucible.step"] == 799


def test_steps_that_the_caller_counts_and_steps_that_we_count_share_one_count() -> None:
    with capture(), crucible.training() as training, training.epoch() as epoch:
        with epoch.batch(step=10) as given:
            pass
        with epoch.batch() as counted:
            pass
    assert (given.step, counted.step) == (10, 11)


def test_a_thread_that_takes_the_context_along_belongs_to_the_experiment() -> None:
    def work() -> None:
        with crucible.training():
            pass

    with capture() as captured, crucible.experiment("sweep"):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
        thread.start()
        thread.join()
    (stop,) = captured.named("crucible_train.training.stop")
    assert stop.attributes["crucible.experiment.id"] == "sweep"
