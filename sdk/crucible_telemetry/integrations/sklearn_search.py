"""scikit-learn's searches: a pipeline around the search, and in it one run a candidate.

    search = crucible.instrument(GridSearchCV(model, grid, cv=5))        # then use it as ever

Candidates are what a search compares, so each is a run, with its parameters as its configuration.
The folds are measurements of one candidate, so they are the run's batches, and the epoch around
them has their mean. A run for each fold would put five times the runs into a list that is read to
find the best one.

What a reader could not guess: the folds may be fitted in other processes, so nothing is watched but
`_run_search`, which scikit-learn has for subclasses: a round of candidates is told when it is over
(one round for grids, several for halving). Durations are scikit-learn's; when in its round a
candidate began it does not say, and that is reckoned from the candidates before it and the number
of workers. A score named `neg_…` is told as what it is the negative of.
"""

from __future__ import annotations

import functools
import math
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import joblib
import sklearn.base

from crucible_telemetry.experiment import training as new_training
from crucible_telemetry.faults import guarded
from crucible_telemetry.integrations.past import in_the_past
from crucible_telemetry.integrations.sklearn import described
from crucible_telemetry.integrations.watched import watch, watching
from crucible_telemetry.pipeline import pipeline


class CandidateError(Exception):
    """Every fold of a candidate failed; scikit-learn has warned of the reason."""


def instrument(search: Any, **options: Any) -> Any:
    """Watch `fit` of a search; returns the search. The options are those of a run."""
    watch(search, "fit", _Search(search, options))
    return search


class _Search:
    def __init__(self, search: Any, options: Mapping[str, Any]) -> None:
        self._search = weakref.ref(search)
        self._options = options

    def __call__(self, plain: Any, *arguments: Any, **options: Any) -> Any:
        search = self._search()
        with pipeline(type(search).__name__) as running:
            with watching(search, "_run_search", self._run_search):
                result = plain(*arguments, **options)
            running.log(best_score=getattr(search, "best_score_", None))
        return result

    def _run_search(self, plain: Any, evaluate: Callable[..., Any], **options: Any) -> Any:
        @functools.wraps(evaluate)
        def evaluate_and_tell(candidates: Any, *arguments: Any, **more: Any) -> Any:
            listed = list(candidates)
            start_ns = time.time_ns()
            results = evaluate(listed, *arguments, **more)
            self._tell_round(results, len(listed), start_ns)
            return results

        return plain(evaluate_and_tell, **options)

    @guarded
    def _tell_round(self, results: Mapping[str, Any], count: int, start_ns: int) -> None:
        search = self._search()
        if search is None:
            return
        workers = joblib.effective_n_jobs(search.n_jobs)
        total = len(results["params"])
        for index in range(total - count, total):
            self._tell_candidate(search, results, index, start_ns)
            start_ns += _fold_ns(results, index) * _fold_count(results) // workers

    @guarded
    def _tell_candidate(
        self, search: Any, results: Mapping[str, Any], index: int, start_ns: int
    ) -> None:
        known = described(search.estimator, ()) | {"config": dict(results["params"][index])}
        for name in ("iter", "n_resources"):  # of halving
            if name in results:
                known[name] = int(results[name][index])
        training = new_training(**{**known, **self._options})
        fold_ns = _fold_ns(results, index)
        with in_the_past(training, start_ns) as clock:
            training.open()
            epoch = training.epoch()
            epoch.open()
            for fold in range(_fold_count(results)):
                with epoch.batch() as batch:
                    clock.now_ns += fold_ns
                    batch.log(_scores(search, results, index, f"split{fold}"))
            means = _scores(search, results, index, "mean")
            epoch.log(means)
            epoch.close()
            training.log(means)
            training.log(_spread(search, results, index))
            training.close(_failure(means))


def _fold_ns(results: Mapping[str, Any], index: int) -> int:
    return int((results["mean_fit_time"][index] + results["mean_score_time"][index]) * 1e9)


def _fold_count(results: Mapping[str, Any]) -> int:
    return len({column.partition("_")[0] for column in results if column.startswith("split")})


def _scores(search: Any, results: Mapping[str, Any], index: int, of: str) -> dict[str, float]:
    """Return one fold's scores, or their means, under the registry's names."""
    found = {}
    for column, values in results.items():
        prefix, _, scorer = column.partition("_test_")
        phase = "val_"
        if not scorer:
            prefix, _, scorer = column.partition("_train_")
            phase = ""
        if prefix == of and scorer:
            name = _default_scorer(search) if scorer == "score" else scorer
            value = float(values[index])
            is_negative = name.startswith("neg_")
            found[phase + name.removeprefix("neg_")] = -value if is_negative else value
    return found


def _spread(search: Any, results: Mapping[str, Any], index: int) -> dict[str, float]:
    deviations = _scores(search, results, index, "std")
    return {f"{name}_std": abs(value) for name, value in deviations.items()}


def _default_scorer(search: Any) -> str:
    """Return what `score` means: the metric that was asked for, else the estimator's own."""
    if isinstance(search.scoring, str):
        return search.scoring
    if search.scoring is not None:
        return "score"
    if sklearn.base.is_classifier(search.estimator):
        return "accuracy"
    return "r2" if sklearn.base.is_regressor(search.estimator) else "score"


def _failure(means: Mapping[str, float]) -> CandidateError | None:
    if any(not math.isnan(mean) for mean in means.values()):
        return None
    return CandidateError("every fold failed")
