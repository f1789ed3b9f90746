"""PyTorch without a trainer: loaders, optimisers and loops of one's own.

    loader = crucible.instrument(DataLoader(...))
    crucible.instrument(optimizer)
    with crucible.training(model_name="mlp") as training:
        for epoch in training.epochs(10):
            for batch in epoch.batches(loader):        # waiting for data is measured
                loss = ...; loss.backward(); optimizer.step()   # learning rate, gradient norm
                batch.log(loss=loss)

What a reader could not guess: workers that are forked inherit where they are; for spawned ones it
is pickled along, and it counts for them once they have called `configure()` (the loader's own
`worker_init_fn` is the place). Workers that are kept over epochs keep the epoch that they began in.
A framework that makes loaders of its own out of a DataLoader, as Lightning and accelerate do, wants
the plain one; instrument its trainer instead. Optimisers are in `gradients`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from crucible_telemetry import propagation
from crucible_telemetry.epoch import Batch, Epoch
from crucible_telemetry.faults import guarded
from crucible_telemetry.scope import surrounding
from crucible_telemetry.training import Training


class Loader:
    """A DataLoader whose items are batches; everything else of it is as it was.

    `for data in loader` yields the loader's own items. Within an epoch each of them is a batch of
    it, to be had as `loader.batch`; within a training but outside any epoch, each pass over the
    loader is an epoch. `epoch.batches(loader)` yields the batches themselves.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._wait_ns = 0
        self.batch: Batch[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_loader":  # not there yet while it is copied
            raise AttributeError(name)
        return getattr(self._loader, name)

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        scope = surrounding()
        if isinstance(scope, Epoch):
            return self._items(scope)
        return self._pass(scope) if isinstance(scope, Training) else iter(self._loader)

    def crucible_batches(self, epoch: Epoch) -> Iterator[Batch[Any]]:
        """Yield a batch for each item, with `data_wait_ms`: how long the loop waited for it."""
        batches = epoch.batches(self._timed())
        try:
            for batch in batches:
                batch.log(data_wait_ms=self._wait_ns / 1e6)
                yield batch
        finally:
            batches.close()  # type: ignore[attr-defined]  # a generator, of which `break` is told

    def _timed(self) -> Iterator[Any]:
        start_ns = time.perf_counter_ns()
        for data in self._loader:
            self._wait_ns = time.perf_counter_ns() - start_ns
            yield data
            start_ns = time.perf_counter_ns()

    def _items(self, epoch: Epoch) -> Iterator[Any]:
        for batch in self.crucible_batches(epoch):
            self.batch = batch
            yield batch.data

    def _pass(self, training: Training) -> Iterator[Any]:
        epoch = training.epoch()
        epoch.open()
        try:
            yield from self._items(epoch)
        except GeneratorExit:
            epoch._leave()
            raise
        epoch.close()


class _InWorker:
    """Takes the context into a loader's worker, after what the user has to do there."""

    def __init__(self, inner: Callable[[int], Any] | None) -> None:
        self._inner = inner
        self._carrier: dict[str, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        carrier = guarded(propagation.current_context)()
        return {"_inner": self._inner, "_carrier": carrier}

    def __call__(self, worker_id: int) -> None:
        if self._inner is not None:
            self._inner(worker_id)  # first: it may be what calls configure() there
        if self._carrier:
            self._enter(self._carrier)

    @guarded
    def _enter(self, carrier: dict[str, str]) -> None:
        propagation.extract(carrier).__enter__()  # for as long as the worker lives


def instrument_loader(loader: Any) -> Loader:
    """Return the loader, of which a training's `epoch.batches()` makes measured batches."""
    if isinstance(loader, Loader):
        return loader
    if not isinstance(loader.worker_init_fn, _InWorker):
        loader.worker_init_fn = _InWorker(loader.worker_init_fn)
    return Loader(loader)
