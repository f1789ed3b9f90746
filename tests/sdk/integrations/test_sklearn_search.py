"""scikit-learn's searches, on the digits it ships."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry import faults
from crucible_telemetry.instrument import instrument
from crucible_telemetry.testing import Captured, Event, capture
from sdk.integrations.conformance import library, only

library("sklearn.experimental.enable_halving_search_cv")
sklearn = library("sklearn")
datasets = library("sklearn.datasets")
linear_model = library("sklearn.linear_model")
selection = library("sklearn.model_selection")

INPUTS, TARGETS = datasets.load_digits(return_X_y=True)
INPUTS, TARGETS = INPUTS[:200] / 16, TARGETS[:200]
GRID = {"alpha": [0.1, 1.0, 10.0]}

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning"),
]


def search(kind: str = "GridSearchCV", **options: Any) -> Any:
    made = getattr(selection, kind)(linear_model.RidgeClassifier(), GRID, **({"cv": 3} | options))
    return instrument(made, tags=["sweep"])


def fitted(kind: str = "GridSearchCV", **options: Any) -> tuple[Captured, Any]:
    with capture() as captured:
        found = search(kind, **options).fit(INPUTS, TARGETS)
    assert faults.counts() == {}
    return captured, found


def stops(captured: Captured) -> list[Event]:
    return captured.named("crucible_train.training.stop")


@pytest.mark.parametrize(("kind", "options"), [
    ("GridSearchCV", {}),
    ("GridSearchCV", {"n_jobs": 2}),
    ("RandomizedSearchCV", {"n_iter": 3, "random_state": 0}),
])  # fmt: skip
def test_each_candidate_is_a_run_and_each_fold_a_batch_of_it(
    kind: str, options: dict[str, Any]
) -> None:
    captured, found = fitted(kind, **options)
    runs = stops(captured)
    assert [run.measurements["val_accuracy"] for run in runs] == list(
        found.cv_results_["mean_test_score"]
    )
    batches = captured.named("crucible_train.batch.stop")
    for index, run in enumerate(runs):
        folds = [
            batch.measurements["val_accuracy"]
            for batch in batches
            if batch.attributes["crucible.run.id"] == run.attributes["crucible.run.id"]
        ]
        assert folds == [found.cv_results_[f"split{fold}_test_score"][index] for fold in range(3)]
    starts = captured.named("crucible_train.training.start")
    assert [start.attributes["crucible.training.config"] for start in starts] == [
        f'{{"alpha":{params["alpha"]}}}' for params in found.cv_results_["params"]
    ]


def test_the_search_is_a_pipeline_around_its_candidates() -> None:
    captured, found = fitted()
    around = only(captured, "crucible_framework.pipeline.stop")
    assert around.attributes["crucible.pipeline.id"] == "GridSearchCV"
    assert around.measurements["best_score"] == pytest.approx(found.best_score_)
    for run in stops(captured):
        parent = run.attributes["crucible.run.parent_id"]
        assert parent == around.attributes["crucible.run.id"]


def test_a_run_lasts_as_long_as_its_fits_did() -> None:
    captured, found = fitted()
    results = found.cv_results_
    for index, run in enumerate(stops(captured)):
        mean_s = results["mean_fit_time"][index] + results["mean_score_time"][index]
        assert run.duration_ns == pytest.approx(3 * mean_s * 1e9, abs=10)


def test_candidates_follow_each_other_where_one_worker_fits_them() -> None:
    spans = [run.span for run in stops(fitted()[0])]
    times = [time or 0 for span in spans for time in (span.start_time, span.end_time)]
    assert times == sorted(times)


def test_halving_tells_every_round_as_it_is_over() -> None:
    captured, found = fitted("HalvingGridSearchCV", min_resources=60, factor=2)
    starts = captured.named("crucible_train.training.start")
    told = [start.attributes["crucible.training.n_resources"] for start in starts]
    assert told == list(found.cv_results_["n_resources"])
    assert len(told) > len(GRID["alpha"])


def test_scores_have_the_names_of_what_they_measure() -> None:
    scoring = {"accuracy": "accuracy", "neg_mean_squared_error": "neg_mean_squared_error"}
    captured, found = fitted(scoring=scoring, refit="accuracy", return_train_score=True)
    (first, *_) = stops(captured)
    negative = found.cv_results_["mean_test_neg_mean_squared_error"][0]
    assert first.measurements["val_mean_squared_error"] == -negative
    assert first.measurements["accuracy"] == found.cv_results_["mean_train_accuracy"][0]
    assert first.measurements["val_accuracy_std"] == found.cv_results_["std_test_accuracy"][0]


def test_a_candidate_of_which_every_fold_failed_has_failed() -> None:
    with capture() as captured:
        found = instrument(
            selection.GridSearchCV(linear_model.RidgeClassifier(), {"alpha": [1.0, -1.0]}, cv=3)
        ).fit(INPUTS, TARGETS)
    assert found.best_params_ == {"alpha": 1.0}
    assert len(stops(captured)) == 1
    assert only(captured, "crucible_train.training.exception")


def test_a_search_that_fails_is_told_and_raised() -> None:
    with capture() as captured, pytest.raises(ValueError, match="inconsistent"):
        search().fit(INPUTS, TARGETS[:3])
    assert only(captured, "crucible_framework.pipeline.exception")


def test_a_search_comes_to_the_same_with_and_without() -> None:
    plain = selection.GridSearchCV(linear_model.RidgeClassifier(), GRID, cv=3).fit(INPUTS, TARGETS)
    _, watched = fitted()
    assert watched.best_params_ == plain.best_params_
    assert list(watched.cv_results_["mean_test_score"]) == list(
        plain.cv_results_["mean_test_score"]
    )


def test_a_found_model_can_be_kept_and_loaded_without_us() -> None:
    _, found = fitted()
    pickled = pickle.dumps(found)
    assert b"crucible" not in pickled
    assert list(pickle.loads(pickled).predict(INPUTS)) == list(found.predict(INPUTS))


def test_a_search_belongs_to_the_experiment_around_it() -> None:
    with capture() as captured, crucible.experiment("digits"):
        search().fit(INPUTS, TARGETS)
    for run in stops(captured):
        assert run.attributes["crucible.experiment.id"] == "digits"
