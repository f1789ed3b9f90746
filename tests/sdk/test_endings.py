"""How scopes end: by `break`, by an exception, by Ctrl-C, early, late, twice, in the wrong order."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
from opentelemetry.trace import StatusCode

import crucible_telemetry as crucible
from crucible_telemetry.scope import current_scope
from crucible_telemetry.testing import START_UNIX_NS, Captured, Event, capture

BATCH, EPOCH, TRAINING = (f"crucible_train.{scope}" for scope in ("batch", "epoch", "training"))


def ends(captured: Captured) -> list[tuple[str, str | None]]:
    return [
        (event.name.removeprefix("crucible_train."), event.attributes.get("crucible.status"))
        for event in captured.events
        if not event.name.endswith(".start")
    ]


def failing_loader() -> Iterator[int]:
    yield 1
    raise OSError("disk gone")


def test_an_exception_fails_the_batch_the_epoch_and_the_training_it_comes_out_of() -> None:
    with (
        capture() as captured,
        pytest.raises(ValueError, match="boom"),
        crucible.training() as training,
    ):
        for epoch in training.epochs(2):
            for batch in epoch.batches(range(3)):
                batch.log(loss=1.0)
                if batch.step == 1:
                    raise ValueError("boom")
    assert ends(captured) == [
        ("batch.stop", None),
        ("batch.stop", "error"),
        ("epoch.exception", "failed"),
        ("training.exception", "failed"),
    ]
    for event in captured.events[-3:]:
        assert event.span.status.status_code is StatusCode.ERROR
        assert event.attributes["crucible.error.kind"] == "ValueError"
        assert event.attributes["crucible.error.reason"] == "boom"
        (exception,) = event.span.events
        assert exception.name == "exception"
        assert "boom" in str((exception.attributes or {})["exception.stacktrace"])
    assert captured.events[-3].measurements == {"loss": 1.0}


def test_a_failed_training_tells_where_it_was_and_what_it_had_reached() -> None:
    with (
        capture() as captured,
        pytest.raises(ValueError, match="boom"),
        crucible.training() as training,
    ):
        for epoch in training.epochs(3):
            epoch.log(loss=0.25)
            for batch in epoch.batches(range(3)):
                if batch.step == 4:
                    raise ValueError("boom")
    (failed,) = captured.named(f"{TRAINING}.exception")
    at = {key: failed.attributes[f"crucible.{key}"] for key in ("epoch", "step", "batch.index")}
    assert at == {"epoch": 1, "step": 4, "batch.index": 1}
    assert failed.measurements == {"total_epochs": 2, "total_steps": 5, "final_loss": 0.25}


def test_a_break_ends_batch_and_epoch_well_and_in_order() -> None:
    with capture() as captured, crucible.training() as training:
        for epoch in training.epochs(5):
            for batch in epoch.batches(range(100)):
                batch.log(loss=1.0)
                if batch.index == 1:
                    break
            epoch.log(loss=0.5)
            if epoch.index == 1:
                break
        training.checkpoint("model.pt")
    batch_end, epoch_end = ("batch.stop", None), ("epoch.stop", "completed")
    assert ends(captured) == [
        *(batch_end, batch_end, epoch_end),
        *(batch_end, batch_end, epoch_end),
        ("checkpoint.saved", None),
        ("training.stop", "completed"),
    ]


def test_a_scope_left_by_a_break_lasts_until_it_was_left() -> None:
    with capture() as captured, crucible.training() as training:
        for epoch in training.epochs(1):
            for _ in epoch.batches(range(9)):
                break
            for _ in range(50):  # each reading of the clock is a millisecond
                with crucible.training():
                    pass
            epoch.log(loss=1.0)
    (batch,) = captured.named(f"{BATCH}.stop")
    assert batch.duration_ns <= 2_000_000


def test_an_iterator_that_is_kept_does_not_keep_its_batch_open() -> None:
    with capture() as captured, crucible.training() as training:
        for epoch in training.epochs(1):
            kept = epoch.batches(range(9))
            next(kept)
    assert ends(captured)[0] == ("batch.stop", None)
    kept.close()  # type: ignore[attr-defined]
    assert len(captured.named(f"{BATCH}.stop")) == 1


def test_an_exception_caught_inside_the_training_leaves_the_training_well() -> None:
    with capture() as captured, crucible.training() as training:
        for epoch in training.epochs(2):
            try:
                with epoch.batch() as batch:
                    batch.log(loss=1.0)
                    raise ValueError("boom")
            except ValueError:
                continue
    assert ends(captured) == [
        *(("batch.stop", "error"), ("epoch.stop", "completed")) * 2,
        ("training.stop", "completed"),
    ]


def test_what_the_loader_raises_is_the_callers() -> None:
    with (
        capture() as captured,
        pytest.raises(OSError, match="disk gone"),
        crucible.training() as training,
    ):
        for epoch in training.epochs(1):
            for _ in epoch.batches(failing_loader()):
                pass
    assert ends(captured)[-2:] == [("epoch.exception", "failed"), ("training.exception", "failed")]
    assert ends(captured)[0] == ("batch.stop", None)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), "cancelled"),
        (SystemExit(0), "cancelled"),
        (SystemExit(None), "cancelled"),
        (SystemExit(3), "failed"),
        (MemoryError(), "failed"),
    ],
)
def test_being_ended_is_not_failing(error: BaseException, status: str) -> None:
    with capture() as captured, pytest.raises(type(error)), crucible.training() as training:
        for epoch in training.epochs(1):
            for _ in epoch.batches("a"):
                raise error
    phase = "exception" if status == "failed" else "stop"
    assert ends(captured)[-2:] == [(f"epoch.{phase}", status), (f"training.{phase}", status)]


def test_stopping_early_ends_the_loop_and_is_told() -> None:
    seen = []
    with capture() as captured, crucible.training() as training:
        for epoch in training.epochs(10):
            seen.append(epoch.index)
            if epoch.index == 2:
                training.stop_early()
    assert seen == [0, 1, 2]
    assert ends(captured)[-1] == ("training.stop", "early_stopped")


def test_an_experiment_says_that_it_failed_only_if_the_exception_leaves_it() -> None:
    with capture() as captured, crucible.experiment("sweep") as experiment:
        with pytest.raises(ValueError, match="boom"), experiment.training():
            raise ValueError("boom")
    end: Event = captured.events[-1]
    assert end.name == "crucible_telemetry.experiment.stop"
    assert end.span.status.status_code is StatusCode.UNSET
    assert end.attributes["crucible.experiment.status"] == "stopped"


def test_scopes_can_be_opened_and_closed_by_hand_and_closing_twice_is_nothing() -> None:
    with capture() as captured:
        training = crucible.training()
        training.open()
        training.open()
        epoch = training.epoch()
        epoch.open()
        training.close()  # an open epoch ends with its training
        epoch.close()
        training.close()
    assert ends(captured) == [("epoch.stop", "completed"), ("training.stop", "completed")]


def test_numbers_for_an_ended_scope_are_counted_not_sent() -> None:
    with capture() as captured, crucible.training() as training:
        with training.epoch() as epoch, epoch.batch() as batch:
            pass
        batch.log(loss=1.0)
    (stop,) = captured.named(f"{BATCH}.stop")
    assert stop.measurements == {}
    assert crucible.counts()["fault.after_end"] == 1


def test_a_scope_lives_once() -> None:
    with capture() as captured:
        training = crucible.training()
        for _ in range(2):
            with training:
                pass
    assert ends(captured) == [("training.stop", "completed")]
    assert crucible.counts()["fault.after_end"] == 1


def test_a_training_that_was_never_opened_still_dates_its_checkpoint_now() -> None:
    with capture() as captured:
        crucible.training().checkpoint("model.pt")
    (saved,) = captured.named("crucible_train.checkpoint.saved")
    assert (saved.span.start_time or 0) >= START_UNIX_NS


def test_the_current_scope_is_put_back_whatever_way_scopes_end() -> None:
    with capture(), crucible.experiment("sweep") as experiment:
        with experiment.training() as training:
            for epoch in training.epochs(2):
                for batch in epoch.batches(range(2)):
                    assert current_scope.get() is batch
                    break
                assert current_scope.get() is epoch
            assert current_scope.get() is training
            kept = training.epochs(1)
            next(kept)
            closer = threading.Thread(target=kept.close)  # type: ignore[attr-defined]
            closer.start()
            closer.join()  # closed from another thread, which has a context of its own
        assert current_scope.get() is experiment
    assert current_scope.get() is None


def test_a_scope_that_another_thread_ends_is_not_taken_for_the_current_one() -> None:
    with capture(), crucible.experiment("sweep") as experiment:
        with experiment.training() as training:
            epoch = training.epoch()
            epoch.open()
            closer = threading.Thread(target=epoch.close)
            closer.start()
            closer.join()
        assert current_scope.get() is experiment


def test_a_reference_cycle_does_not_keep_a_loop_from_ending() -> None:
    with capture() as captured, crucible.training() as training:
        loop = training.epochs(3)
        next(loop)
        cycle: list[object] = [loop]
        cycle.append(cycle)
        del loop, cycle
        gc.collect()
        training.log(score=1.0)
        assert ends(captured) == [("epoch.stop", "completed")]


def test_an_exception_that_cannot_be_printed_still_ends_everything_as_failed() -> None:
    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    with capture() as captured, pytest.raises(UnprintableError), crucible.training() as training:
        with training.epoch():
            raise UnprintableError
    assert ends(captured) == [("epoch.exception", "failed"), ("training.exception", "failed")]
    assert current_scope.get() is None


def test_a_reason_is_one_line() -> None:
    with capture() as captured, pytest.raises(ValueError, match="two"), crucible.training():
        raise ValueError("two\nlines " + "x" * 5000)
    reason = captured.events[-1].attributes["crucible.error.reason"]
    assert reason.startswith("two lines x")
    assert len(reason) <= 1024
