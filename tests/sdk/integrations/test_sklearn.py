"""scikit-learn's fits and partial fits, on the digits it ships."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry import faults
from crucible_telemetry.instrument import instrument
from crucible_telemetry.testing import Captured, capture
from sdk.integrations.conformance import check_run, library, only

sklearn = library("sklearn")
datasets = library("sklearn.datasets")
linear_model = library("sklearn.linear_model")
neural_network = library("sklearn.neural_network")
decomposition = library("sklearn.decomposition")
ensemble = library("sklearn.ensemble")

INPUTS, TARGETS = datasets.load_digits(return_X_y=True)
INPUTS, TARGETS = INPUTS[:200] / 16, TARGETS[:200]
CLASSES = list(range(10))

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def network(**options: Any) -> Any:
    return neural_network.MLPClassifier((8,), max_iter=5, random_state=3, **options)


def test_a_fit_is_a_training_and_its_iterations_are_epochs() -> None:
    with capture() as captured:
        model = instrument(network()).fit(INPUTS, TARGETS)
    check_run(captured, epochs=5, batches=0, epoch_numbers=("loss",))
    epochs = captured.named("crucible_train.epoch.stop")
    assert [epoch.measurements["loss"] for epoch in epochs] == model.loss_curve_
    start = only(captured, "crucible_train.training.start")
    assert start.attributes["crucible.model.name"] == "MLPClassifier"
    assert start.attributes["crucible.training.seed"] == 3
    assert start.measurements["dataset_size"] == 200


def test_iterations_lie_one_after_the_other_within_the_fit() -> None:
    with capture() as captured:
        instrument(network()).fit(INPUTS, TARGETS)
    training = only(captured, "crucible_train.training.stop").span
    times = [training.start_time or 0]
    for epoch in captured.named("crucible_train.epoch.stop"):
        times += [epoch.span.start_time or 0, epoch.span.end_time or 0]
    times.append(training.end_time or 0)
    assert times == sorted(times)


def test_a_fit_that_its_validation_ended_has_stopped_early() -> None:
    with capture() as captured:
        model = instrument(network(early_stopping=True, n_iter_no_change=1, tol=10.0))
        model.fit(INPUTS, TARGETS)
    check_run(
        captured,
        epochs=model.n_iter_,
        batches=0,
        epoch_numbers=("loss", "val_accuracy"),
        status="early_stopped",
    )


def test_boosting_stages_are_epochs_too() -> None:
    with capture() as captured:
        instrument(ensemble.GradientBoostingClassifier(n_estimators=2)).fit(INPUTS, TARGETS)
    check_run(captured, epochs=2, batches=0, epoch_numbers=("loss",))


def test_a_failure_is_told_and_raised() -> None:
    with capture() as captured, pytest.raises(ValueError, match="inconsistent"):
        instrument(network()).fit(INPUTS, TARGETS[:3])
    check_run(captured, epochs=0, batches=0, status="failed")


def test_an_estimator_that_cannot_tell_its_parameters_is_fitted_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = neural_network.MLPClassifier.get_params

    def fails(self: Any, deep: bool = True) -> Any:
        if deep:  # as we ask for them; scikit-learn itself asks for the shallow ones
            raise RuntimeError("boom")
        return told(self, deep)

    monkeypatch.setattr(neural_network.MLPClassifier, "get_params", fails)
    with capture() as captured:
        assert instrument(network()).fit(INPUTS, TARGETS).n_iter_ == 5
    assert only(captured, "crucible_train.training.stop")
    assert faults.counts() == {"error": 1}


def feed(model: Any, count: int = 3) -> None:
    for index in range(count):
        part = slice(50 * index, 50 * index + 50)
        model.partial_fit(INPUTS[part], TARGETS[part], classes=CLASSES)


def test_partial_fits_in_an_epoch_are_its_batches() -> None:
    with capture() as captured, crucible.training(model_name="mlp") as training:
        model = instrument(network())
        for _ in training.epochs(2):
            feed(model)
    check_run(captured, epochs=2, batches=6, epoch_numbers=())


def test_a_partial_fit_in_a_batch_adds_its_loss_to_it() -> None:
    with capture() as captured, crucible.training(model_name="mlp") as training:
        model = instrument(network())
        for epoch in training.epochs(1):
            for batch in epoch.batches(range(3)):
                feed(model, 1)
                batch.log(samples=50)
    check_run(captured, epochs=1, batches=3, batch_numbers=("loss", "samples"), epoch_numbers=())


def test_partial_fits_by_themselves_are_a_run_that_lasts_as_long_as_the_estimator() -> None:
    with capture() as captured:
        model = instrument(
            linear_model.SGDClassifier(),
            evaluate=lambda fitted, inputs, targets: {"accuracy": fitted.score(inputs, targets)},
        )
        feed(model)
        assert captured.named("crucible_train.training.stop") == []
        del model
        gc.collect()
    check_run(captured, epochs=1, batches=3, batch_numbers=("accuracy",), epoch_numbers=())


def test_a_run_of_partial_fits_ends_with_the_process() -> None:
    program = """
import crucible_telemetry as crucible
from crucible_telemetry.instrument import instrument
from opentelemetry.sdk.trace.export import ConsoleSpanExporter
from sklearn.linear_model import SGDClassifier
crucible.configure(exporter=ConsoleSpanExporter(formatter=lambda span: span.name + "\\n"))
model = instrument(SGDClassifier())
model.partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split()[-1] == "crucible_train.training"


def test_a_failed_partial_fit_is_told_and_the_run_goes_on() -> None:
    with capture() as captured, crucible.experiment("stream"):
        model = instrument(network())
        feed(model, 1)
        with pytest.raises(ValueError, match="inconsistent"):
            model.partial_fit(INPUTS, TARGETS[:3])
        feed(model, 1)
        del model
        gc.collect()
    batches = captured.named("crucible_train.batch.stop")
    assert len([batch for batch in batches if "loss" in batch.measurements]) == 2
    assert faults.counts() == {}


def test_a_fit_made_of_partial_fits_has_them_as_batches() -> None:
    with capture() as captured:
        instrument(decomposition.IncrementalPCA(2, batch_size=100)).fit(INPUTS)
    check_run(captured, epochs=1, batches=2, batch_numbers=(), epoch_numbers=())


def test_a_fit_comes_to_the_same_with_and_without() -> None:
    plain = network().fit(INPUTS, TARGETS)
    with capture():
        watched = instrument(instrument(network()))
        assert watched.fit(INPUTS, TARGETS) is watched
    assert watched.loss_curve_ == plain.loss_curve_
    assert watched.get_params() == plain.get_params()


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_is_as_if_it_had_never_been_watched(again: Any) -> None:
    with capture() as captured:
        model = instrument(network()).fit(INPUTS, TARGETS)
    with capture() as captured:
        copied = again(model)
        assert list(copied.predict(INPUTS)) == list(model.predict(INPUTS))
        copied.fit(INPUTS, TARGETS)
        feed(copied, 1)
        sklearn.base.clone(model).fit(INPUTS, TARGETS)
    assert captured.events == []


def test_a_pickle_needs_nothing_of_ours() -> None:
    with capture():
        pickled = pickle.dumps(instrument(network()).fit(INPUTS, TARGETS))
    assert b"crucible" not in pickled


def fit_in_experiment() -> Captured:
    with capture() as captured, crucible.experiment("digits"):
        instrument(network()).fit(INPUTS, TARGETS)
    return captured


def test_a_fit_belongs_to_the_experiment_around_it() -> None:
    stop = only(fit_in_experiment(), "crucible_train.training.stop")
    assert stop.attributes["crucible.experiment.id"] == "digits"
