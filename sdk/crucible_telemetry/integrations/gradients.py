"""PyTorch's optimisers: learning rate and gradient norm of the steps they make.

    crucible.instrument(optimizer, every=10)

What a reader could not guess: a number on an accelerator is copied to the host when it is logged,
which waits for everything queued before it. `every=10` measures, and waits, at every tenth step
only; a loss that you log yourself you can guard likewise, `if batch.step % 10 == 0`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from crucible_telemetry.epoch import Batch
from crucible_telemetry.faults import guarded
from crucible_telemetry.scope import surrounding


def instrument_optimizer(optimizer: Any, *, every: int = 1) -> Any:
    """Log learning rate and gradient norm of every so many steps with the batch they are made in."""

    @guarded
    def before_step(stepping: Any, *_: Any) -> None:
        batch = surrounding()
        if isinstance(batch, Batch) and batch.step % every == 0:
            groups = stepping.param_groups
            norm = gradient_norm(weight for group in groups for weight in group["params"])
            scale = getattr(stepping, "grad_scale", None)  # a fused step under a GradScaler
            if norm is not None and scale is not None:
                norm = norm / scale
            batch.log(learning_rate=groups[0]["lr"], gradient_norm=norm)

    if not hasattr(optimizer, "_crucible_hook"):
        optimizer._crucible_hook = optimizer.register_step_pre_hook(before_step)
    return optimizer


def gradient_norm(parameters: Iterable[Any]) -> Any:
    """Return the 2-norm of all gradients as one tensor on their device; None where there is none.

    Nothing is copied to the host here; logging the tensor does that, and waits for the device.
    """
    gradients = [weight.grad.detach() for weight in parameters if weight.grad is not None]
    if not gradients:
        return None
    norms = [
        torch.linalg.vector_norm(gradient.coalesce().values() if gradient.is_sparse else gradient)
        for gradient in gradients
    ]
    device = norms[0].device
    return torch.linalg.vector_norm(torch.stack([norm.to(device) for norm in norms]))
