"""Hugging Face Transformers: a callback for `Trainer` and what is derived from it.

    trainer = Trainer(..., callbacks=[CrucibleCallback()])     # or crucible.instrument(trainer)

What a reader could not guess: Trainer logs a step's numbers after it has told of the step's end,
and evaluates after it has told of the epoch's, so a step that will be logged stays open until it
is, and an epoch until the next one begins. Its `loss` is the mean since it was logged last. It
tells callbacks nothing of an exception; `crucible.instrument(trainer)` watches `train()` for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers

from crucible_telemetry.faults import guarded
from crucible_telemetry.integrations.callbacks import TrainingCallbacks
from crucible_telemetry.integrations.metric_names import is_of_validation
from crucible_telemetry.integrations.watched import watch


class CrucibleCallback(transformers.TrainerCallback):
    """Tells of `train()`; the options are those of `TrainingCallbacks`."""

    def __init__(self, **options: Any) -> None:
        self.run = TrainingCallbacks(**options)

    @guarded
    def on_train_begin(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        self.run.on_train_start(
            args.to_sanitized_dict(),
            first_step=state.global_step,
            rank=args.process_index if args.world_size > 1 else None,
            **_metadata(args, state, known.get("model")),
        )

    @guarded
    def on_epoch_begin(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        self.run.on_epoch_start(int(state.epoch or 0))

    @guarded
    def on_step_begin(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        self.run.on_batch_start(state.global_step)

    @guarded
    def on_step_end(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        if not control.should_log:
            self.run.on_batch_end(state.global_step - 1)  # counted already
        # Where one of several processes stopped by itself, the others would wait for it for ever.
        if args.world_size == 1 and self.run.should_stop():
            control.should_training_stop = True

    @guarded
    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **known: Any
    ) -> None:
        numbers = {name: value for name, value in logs.items() if name != "epoch"}
        if "train_runtime" in numbers:  # the last line, of the run as a whole
            self._summarise(numbers)
        elif self.run.batch is not None and not any(map(is_of_validation, numbers)):
            self.run.on_batch_end(state.global_step - 1, numbers)
        else:
            self.run.log(numbers)

    def _summarise(self, numbers: dict[str, Any]) -> None:
        self.run.on_epoch_end()
        self.run.log({"final_loss" if n == "train_loss" else n: v for n, v in numbers.items()})

    @guarded
    def on_save(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        path = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        self.run.on_checkpoint(path, kind="state", size_bytes=_size_bytes(path))

    @guarded
    def on_train_end(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        self.run.on_train_end(stopped_early=state.global_step < state.max_steps)

    def train(self, plain: Any, *arguments: Any, **options: Any) -> Any:
        """Train, and tell the exception that comes out."""
        try:
            return plain(*arguments, **options)
        except BaseException as error:
            self.run.on_train_error(error)
            raise


def instrument(trainer: Any, **options: Any) -> Any:
    """Add the callback, and watch `train()` for what callbacks are not told."""
    if not any(isinstance(known, CrucibleCallback) for known in trainer.callback_handler.callbacks):
        callback = CrucibleCallback(**options)
        trainer.add_callback(callback)
        watch(trainer, "train", callback.train)
    return trainer


def _metadata(args: Any, state: Any, model: Any) -> dict[str, Any]:
    return {
        "model_name": getattr(getattr(model, "config", None), "name_or_path", "")
        or type(model).__name__,
        "epochs": state.num_train_epochs,
        "total_steps": state.max_steps,
        "batch_size": args.train_batch_size,
        "learning_rate": args.learning_rate,
        "lr_schedule": str(getattr(args.lr_scheduler_type, "value", args.lr_scheduler_type)),
        "optimizer": str(getattr(args.optim, "value", args.optim)),
        "seed": args.seed,
        "device": str(args.device),
        "mixed_precision": bool(args.fp16 or args.bf16),
        "gradient_clipping": args.max_grad_norm or None,
    }


def _size_bytes(directory: Path) -> int | None:
    files = [file.stat().st_size for file in directory.rglob("*") if file.is_file()]
    return sum(files) if files else None
