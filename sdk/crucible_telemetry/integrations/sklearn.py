"""scikit-learn's estimators: `fit` is a training, a call of `partial_fit` a batch.

    model = crucible.instrument(MLPClassifier())        # then use it as ever

What a reader could not guess: clones, pickles and copies of the estimator are not watched, so those
that a search or an ensemble makes stay quiet. `fit` tells nothing while it runs. Where the estimator keeps a curve
(`loss_curve_` of the MLPs, `train_score_` of gradient boosting), its iterations become epochs
afterwards and share the time of the fit equally. A `partial_fit` outside any training begins a run
that lasts as long as the estimator, since nobody says when the last call was; inside an epoch each
call is a batch of it, and inside a batch it adds its numbers to that.
"""

from __future__ import annotations

import contextvars
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import sklearn.base

from crucible_telemetry.epoch import Batch, Epoch
from crucible_telemetry.faults import guarded
from crucible_telemetry.integrations.callbacks import TrainingCallbacks
from crucible_telemetry.integrations.past import in_the_past
from crucible_telemetry.integrations.watched import watch
from crucible_telemetry.scope import surrounding

Evaluate = Callable[..., Mapping[str, Any]]


def instrument(estimator: Any, *, evaluate: Evaluate | None = None, **options: Any) -> Any:
    """Watch `fit` and `partial_fit` of an estimator; returns the estimator.

    evaluate: called as `evaluate(estimator, *arguments)` after a `partial_fit` of those arguments,
        for the numbers that scikit-learn does not tell, e.g. a score. The other options are those
        of `TrainingCallbacks`.
    """
    watch(estimator, "fit", _Fit(estimator, options))
    if hasattr(estimator, "partial_fit"):
        watch(estimator, "partial_fit", _PartialFit(estimator, evaluate, options))
    return estimator


class _Fit:
    def __init__(self, estimator: Any, options: Mapping[str, Any]) -> None:
        self._estimator = weakref.ref(estimator)
        self._options = options

    def __call__(self, plain: Any, *arguments: Any, **options: Any) -> Any:
        run = TrainingCallbacks(**self._options)
        estimator = self._estimator()
        run.on_train_start(**described(estimator, arguments))
        try:
            result = plain(*arguments, **options)
        except BaseException as error:
            run.on_train_error(error)
            raise
        self._tell(run, estimator)
        return result

    @guarded
    def _tell(self, run: TrainingCallbacks, estimator: Any) -> None:
        _tell_curves(run, estimator)
        stops_early = bool(getattr(estimator, "early_stopping", False))
        iterations = getattr(estimator, "n_iter_", None)
        limit = getattr(estimator, "max_iter", None)
        was_early = stops_early and isinstance(iterations, int) and limit and iterations < limit
        run.on_train_end(stopped_early=bool(was_early))


def described(estimator: Any, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Return what is known of a fit before it; nothing where the estimator fails to tell."""
    return guarded(_described)(estimator, arguments) or {}


def _described(estimator: Any, arguments: tuple[Any, ...]) -> dict[str, Any]:
    shape = getattr(arguments[0], "shape", None) if arguments else None
    return {
        "model_name": type(estimator).__name__,
        "config": estimator.get_params(),
        "seed": _whole(getattr(estimator, "random_state", None)),
        "dataset_size": shape[0] if shape else None,
    }


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


@guarded
def _tell_curves(run: TrainingCallbacks, estimator: Any) -> None:
    losses = getattr(estimator, "loss_curve_", None)
    if losses is None and hasattr(estimator, "n_estimators_"):
        losses = getattr(estimator, "train_score_", None)
    if losses is None or run.training is None:
        return
    scores = getattr(estimator, "validation_scores_", None) or ()
    kind = "val_accuracy" if sklearn.base.is_classifier(estimator) else "val_r2"
    start_ns, end_ns = run.training._start_ns, run.training._now_ns()
    each_ns = (end_ns - start_ns) // max(1, len(losses))
    with in_the_past(run.training, start_ns) as clock:
        for index, loss in enumerate(losses):
            run.on_epoch_start(index)
            clock.now_ns += each_ns
            score = {kind: scores[index]} if index < len(scores) else {}
            run.on_epoch_end({"loss": loss, **score})


class _PartialFit:
    def __init__(
        self, estimator: Any, evaluate: Evaluate | None, options: Mapping[str, Any]
    ) -> None:
        self._estimator = weakref.ref(estimator)
        self._evaluate = evaluate
        self._run = TrainingCallbacks(**options)
        self._context = contextvars.copy_context()  # the run is not what surrounds the caller

    def __call__(self, plain: Any, *arguments: Any, **options: Any) -> Any:
        around = surrounding()
        if isinstance(around, Batch):
            result = plain(*arguments, **options)
            around.log(self._numbers(around.step, arguments) or {})
        elif isinstance(around, Epoch):
            with around.batch() as batch:
                result = plain(*arguments, **options)
                batch.log(self._numbers(batch.step, arguments) or {})
        else:
            result = self._in_own_run(plain, arguments, options)
        return result

    def _in_own_run(self, plain: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        self._begin(arguments)
        try:
            result = plain(*arguments, **options)
        except BaseException as error:
            self._inside(self._run.on_batch_error, error)
            raise
        step = 0 if self._run.batch is None else self._run.batch.step
        self._inside(self._run.on_batch_end, step, self._numbers(step, arguments))
        return result

    @guarded
    def _begin(self, arguments: tuple[Any, ...]) -> None:
        estimator = self._estimator()
        if self._run.training is None or self._run.training._is_ended:  # one it had joined, say
            self._context = contextvars.copy_context()
            known = described(estimator, arguments)
            known.pop("dataset_size", None)  # of a stream nobody knows it
            self._context.run(lambda: self._run.on_train_start(**known))
            if self._run.training is not None:
                weakref.finalize(estimator, self._inside, self._run.on_train_end)
        self._inside(self._run.on_batch_start)

    @guarded
    def _inside(self, call: Callable[..., Any], *arguments: Any) -> None:
        self._context.run(call, *arguments)

    @guarded
    def _numbers(self, step: int, arguments: tuple[Any, ...]) -> dict[str, Any]:
        estimator = self._estimator()
        numbers: dict[str, Any] = {}
        if not self._run.logs(step):
            return numbers
        loss = getattr(estimator, "loss_", None)
        if isinstance(loss, float):
            numbers["loss"] = loss
        if self._evaluate is not None:
            numbers.update(self._evaluate(estimator, *arguments))
        return numbers
