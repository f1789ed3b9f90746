"""PyTorch loops of one's own: loaders whose items are batches, optimisers that are measured."""

from __future__ import annotations

import copy
import multiprocessing
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry import faults
from crucible_telemetry.instrument import instrument
from crucible_telemetry.testing import Captured, capture
from sdk.integrations.conformance import adapter, check_run, library, only

torch = library("torch")
data = library("torch.utils.data")
loops = adapter("torch")
gradients = adapter("gradients")


def loader(**options: Any) -> Any:
    inputs = torch.randn(12, 4, generator=torch.Generator().manual_seed(1))
    dataset = data.TensorDataset(inputs, inputs.sum(1, keepdim=True))
    return data.DataLoader(dataset, batch_size=4, **options)


class Task:
    """A linear model and one step of its training."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Linear(4, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def step(self, inputs: Any, targets: Any) -> Any:
        self.optimizer.zero_grad()
        loss = (self.model(inputs) - targets).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss


def train(*, every: int = 1, **options: Any) -> Captured:
    task = Task()
    instrument(task.optimizer, every=every)
    watched = instrument(loader(**options))
    with capture() as captured, crucible.training(model_name="linear") as training:
        for epoch in training.epochs(2):
            for batch in epoch.batches(watched):
                batch.log(loss=task.step(*batch.data))
    return captured


def test_a_loop_of_batches_measures_what_the_loop_does_not_say() -> None:
    check_run(
        train(),
        epochs=2,
        batches=6,
        batch_numbers=("loss", "learning_rate", "gradient_norm", "data_wait_ms"),
        epoch_numbers=(),
    )


def test_a_loop_over_the_items_is_told_all_the_same() -> None:
    task, watched = Task(), instrument(loader())
    instrument(task.optimizer)
    with capture() as captured, crucible.training(model_name="linear") as training:
        for _ in training.epochs(2):
            for inputs, targets in watched:
                watched.batch.log(loss=task.step(inputs, targets))
    check_run(
        captured, epochs=2, batches=6, batch_numbers=("loss", "gradient_norm"), epoch_numbers=()
    )


def test_outside_an_epoch_each_pass_over_the_loader_is_one() -> None:
    watched = instrument(loader())
    with capture() as captured, crucible.training(model_name="linear"):
        for _ in range(2):
            assert [len(inputs) for inputs, _ in watched] == [4, 4, 4]
    check_run(captured, epochs=2, batches=6, batch_numbers=("data_wait_ms",), epoch_numbers=())


def test_outside_a_training_the_loader_gives_what_it_always_gave() -> None:
    with capture() as captured:
        pairs = zip(instrument(loader()), loader(), strict=True)
        assert all(torch.equal(watched[0], plain[0]) for watched, plain in pairs)
    assert captured.events == []


def test_a_loop_that_is_left_ends_well_and_one_that_fails_fails() -> None:
    watched = instrument(loader())
    with capture() as captured, pytest.raises(RuntimeError, match="boom"):
        with crucible.training() as training:
            for _ in training.epochs(1):
                for _ in watched:
                    break
            for _ in watched:
                raise RuntimeError("boom")
    assert len(captured.named("crucible_train.batch.stop")) == 2
    assert only(captured, "crucible_train.epoch.stop")
    assert only(captured, "crucible_train.epoch.exception")
    assert only(captured, "crucible_train.training.exception")


def test_the_loader_is_otherwise_as_it_was() -> None:
    plain = loader()
    watched = instrument(instrument(plain))
    assert isinstance(watched, loops.Loader)
    assert len(watched) == len(plain)
    assert watched.dataset is plain.dataset
    assert len(copy.copy(watched)) == 3


def test_gradients_are_measured_as_often_as_asked() -> None:
    batches = train(every=2).named("crucible_train.batch.stop")
    measured = ["gradient_norm" in batch.measurements for batch in batches]
    assert measured == [True, False] * 3
    assert all("loss" in batch.measurements for batch in batches)


def test_the_gradient_norm_is_that_of_all_parameters_together() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
    model(torch.ones(5, 3)).sum().backward()
    everything = torch.cat([weight.grad.flatten() for weight in model.parameters()])
    measured = gradients.gradient_norm(model.parameters())
    assert float(measured) == pytest.approx(float(everything.norm()))
    assert gradients.gradient_norm([torch.nn.Parameter(torch.ones(2))]) is None


def test_a_sparse_gradient_has_a_norm_too() -> None:
    embedding = torch.nn.Embedding(5, 2, sparse=True)
    embedding(torch.tensor([1, 1])).sum().backward()
    assert float(gradients.gradient_norm(embedding.parameters())) == pytest.approx(8**0.5)


def test_a_loop_comes_to_the_same_with_and_without() -> None:
    plain, watched = Task(), Task()
    for _ in range(2):
        for inputs, targets in loader():
            plain.step(inputs, targets)
    instrument(instrument(watched.optimizer))
    with capture(), crucible.training() as training:
        for epoch in training.epochs(2):
            for batch in epoch.batches(instrument(loader())):
                watched.step(*batch.data)
    assert torch.equal(plain.model.weight, watched.model.weight)


class Context(data.Dataset):  # type: ignore[name-defined]
    """Its items are where in the story the worker is that loads them."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> str:
        return crucible.current_context().get("baggage", "")


def configured_worker(_: int) -> None:
    """Begin as a spawned worker does, whose process knows nothing of its parent's settings."""
    crucible.configure(endpoint="http://127.0.0.1:9", spool_dir="")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_know_which_run_they_load_for(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system does not {method}")
    options = {"worker_init_fn": configured_worker} if method == "spawn" else {}
    watched = instrument(
        data.DataLoader(Context(), num_workers=1, multiprocessing_context=method, **options)
    )
    with capture(), crucible.training(run_id="mine") as training:
        for epoch in training.epochs(1):
            loaded = [text for batch in epoch.batches(watched) for text in batch.data]
    assert len(loaded) == 2
    assert all("crucible.run.id=mine" in text for text in loaded)
    assert faults.counts() == {}
