"""What others call our events, attributes and measurements. Generated: do not edit.

`schemas/generate.py` makes it from `schemas/aliases.yaml` and from the aliases in
`schemas/registry/*.yaml`. `lookup` answers questions about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from crucible_schema.alias import Alias

ALIASES_VERSION: Final = "1"
"""Rises when an alias's meaning changes."""

EVENT_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "crucible_deployment.health_check": "crucible_deployment.health_check.completed",
        "crucible_kitchen.workflow.run.start": "crucible_framework.pipeline.start",
        "crucible_kitchen.workflow.run.stop": "crucible_framework.pipeline.stop",
        "crucible_kitchen.workflow.run.exception": "crucible_framework.pipeline.exception",
        "crucible_kitchen.stage.run.start": "crucible_framework.stage.start",
        "crucible_kitchen.stage.run.stop": "crucible_framework.stage.stop",
        "crucible_kitchen.stage.run.exception": "crucible_framework.stage.exception",
        "crucible_kitchen.training.epoch": "crucible_train.epoch.stop",
        "crucible_kitchen.training.step": "crucible_train.batch.stop",
        "crucible_kitchen.training.checkpoint": "crucible_train.checkpoint.saved",
    },
)
"""Other names of events, and the registry's."""

EVENT_PREFIX_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "crucible_kitchen.workflow.run": "crucible_framework.pipeline",
        "crucible_kitchen.stage.run": "crucible_framework.stage",
    },
)
"""Beginnings of events' names up to a dot, and the registry's."""

SPAN_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "megatron.train_step": "crucible_train.batch",
        "megatron.train.iteration": "crucible_train.batch",
        "nv.dl.training.iteration": "crucible_train.batch",
    },
)
"""Other names of spans with a life, and the registry's."""

ATTRIBUTE_ALIASES: Final[Mapping[str, Alias]] = MappingProxyType(
    {
        "gen_ai.system": Alias("gen_ai.provider.name", "otel_gen_ai"),
        "gen_ai.usage.prompt_tokens": Alias("gen_ai.usage.input_tokens", "otel_gen_ai"),
        "gen_ai.usage.completion_tokens": Alias("gen_ai.usage.output_tokens", "otel_gen_ai"),
        "gen_ai.usage.total_tokens": Alias("crucible.measurement.total_tokens", "otel_gen_ai"),
        "llm.usage.total_tokens": Alias("crucible.measurement.total_tokens", "otel_gen_ai"),
        "gen_ai.usage.cache_read_input_tokens": Alias(
            "gen_ai.usage.cache_read.input_tokens",
            "otel_gen_ai",
        ),
        "gen_ai.usage.cache_creation_input_tokens": Alias(
            "gen_ai.usage.cache_creation.input_tokens",
            "otel_gen_ai",
        ),
        "gen_ai.usage.cache_write_input_tokens": Alias(
            "gen_ai.usage.cache_creation.input_tokens",
            "otel_gen_ai",
        ),
        "gen_ai.usage.reasoning_tokens": Alias(
            "gen_ai.usage.reasoning.output_tokens",
            "otel_gen_ai",
        ),
        "llm.usage.reasoning_tokens": Alias("gen_ai.usage.reasoning.output_tokens", "otel_gen_ai"),
        "gen_ai.request.max_completion_tokens": Alias("gen_ai.request.max_tokens", "otel_gen_ai"),
        "gen_ai.response.finish_reason": Alias("gen_ai.response.finish_reasons", "otel_gen_ai"),
        "llm.response.finish_reason": Alias("gen_ai.response.finish_reasons", "otel_gen_ai"),
        "gen_ai.response.time_to_first_chunk": Alias(
            "crucible.measurement.time_to_first_token_ms",
            "otel_gen_ai",
            1000.0,
        ),
        "gen_ai.prompt": Alias("gen_ai.input.messages", "otel_gen_ai"),
        "gen_ai.completion": Alias("gen_ai.output.messages", "otel_gen_ai"),
        "gen_ai.conversation.id": Alias("crucible.session.id", "otel_gen_ai"),
        "gen_ai.user": Alias("user.id", "otel_gen_ai"),
        "llm.user": Alias("user.id", "otel_gen_ai"),
        "llm.request.type": Alias("gen_ai.operation.name", "otel_gen_ai"),
        "traceloop.correlation.id": Alias("crucible.correlation.id", "otel_gen_ai"),
        "http.status_code": Alias("http.response.status_code", "otel_gen_ai"),
        "llm.provider": Alias("gen_ai.provider.name", "openinference"),
        "llm.system": Alias("gen_ai.provider.name", "openinference"),
        "llm.request.model_name": Alias("gen_ai.request.model", "openinference"),
        "llm.model_name": Alias("gen_ai.request.model", "openinference"),
        "embedding.model_name": Alias("gen_ai.request.model", "openinference"),
        "llm.response.model_name": Alias("gen_ai.response.model", "openinference"),
        "llm.token_count.prompt": Alias("gen_ai.usage.input_tokens", "openinference"),
        "llm.token_count.completion": Alias("gen_ai.usage.output_tokens", "openinference"),
        "llm.token_count.total": Alias("crucible.measurement.total_tokens", "openinference"),
        "llm.token_count.prompt_details.cache_read": Alias(
            "gen_ai.usage.cache_read.input_tokens",
            "openinference",
        ),
        "llm.token_count.prompt_details.cache_input": Alias(
            "gen_ai.usage.cache_read.input_tokens",
            "openinference",
        ),
        "llm.token_count.prompt_details.cache_write": Alias(
            "gen_ai.usage.cache_creation.input_tokens",
            "openinference",
        ),
        "llm.token_count.completion_details.reasoning": Alias(
            "gen_ai.usage.reasoning.output_tokens",
            "openinference",
        ),
        "llm.cost.total": Alias("crucible.measurement.cost_usd", "openinference"),
        "llm.cost.prompt": Alias("crucible.measurement.input_cost_usd", "openinference"),
        "llm.cost.completion": Alias("crucible.measurement.output_cost_usd", "openinference"),
        "llm.finish_reason": Alias("gen_ai.response.finish_reasons", "openinference"),
        "llm.invocation_parameters": Alias("crucible.inference.parameters", "openinference"),
        "input.value": Alias("gen_ai.input.messages", "openinference"),
        "output.value": Alias("gen_ai.output.messages", "openinference"),
        "session.id": Alias("crucible.session.id", "openinference"),
        "tag.tags": Alias("crucible.experiment.tags", "openinference"),
        "megatron.training.loss": Alias("crucible.measurement.loss", "megatron"),
        "megatron.training.grad_norm": Alias("crucible.measurement.gradient_norm", "megatron"),
        "megatron.training.learning_rate": Alias("crucible.measurement.learning_rate", "megatron"),
        "megatron.training.tokens_per_sec": Alias(
            "crucible.measurement.tokens_per_second",
            "megatron",
        ),
        "megatron.training.throughput_tps": Alias(
            "crucible.measurement.tokens_per_second",
            "megatron",
        ),
        "megatron.training.throughput_tflops": Alias(
            "crucible.measurement.throughput_tflops",
            "megatron",
        ),
        "megatron.training.skipped_iters": Alias(
            "crucible.measurement.skipped_iterations",
            "megatron",
        ),
        "megatron.training.memory_allocated_gb": Alias(
            "crucible.measurement.gpu_memory_allocated_bytes",
            "megatron",
            1073741824.0,
        ),
        "megatron.training.step_duration_ms": Alias(
            "crucible.measurement.step_duration_ms",
            "megatron",
        ),
        "megatron.loss": Alias("crucible.measurement.loss", "megatron"),
        "megatron.grad_norm": Alias("crucible.measurement.gradient_norm", "megatron"),
        "megatron.iteration": Alias("crucible.step", "megatron"),
        "megatron.train_iters": Alias("crucible.training.total_steps", "megatron"),
        "megatron.global_batch_size": Alias("crucible.training.batch_size", "megatron"),
        "nemo.run.id": Alias("crucible.run.id", "megatron"),
        "nv.dl.run.uuid": Alias("crucible.run.id", "nv_dl"),
        "nv.dl.job.uuid": Alias("crucible.job.id", "nv_dl"),
        "nv.dl.rank": Alias("crucible.rank", "nv_dl"),
        "dl.rank": Alias("crucible.rank", "nv_dl"),
        "nv.dl.training.step": Alias("crucible.step", "nv_dl"),
        "dl.iteration": Alias("crucible.step", "nv_dl"),
        "nv.dl.training.learning_rate": Alias("crucible.measurement.learning_rate", "nv_dl"),
        "nv.dl.training.params_norm": Alias("crucible.measurement.parameter_norm", "nv_dl"),
        "nv.dl.training.grad_zeros": Alias("crucible.measurement.gradient_zeros", "nv_dl"),
        "nv.dl.training.loss_scale": Alias("crucible.measurement.loss_scale", "nv_dl"),
        "nv.dl.training.consumed_samples": Alias("crucible.measurement.total_samples", "nv_dl"),
        "nv.dl.training.skipped_iterations": Alias(
            "crucible.measurement.skipped_iterations",
            "nv_dl",
        ),
        "nv.dl.training.nan_iterations": Alias("crucible.measurement.nan_iterations", "nv_dl"),
        "nv.dl.training.tokens.processed": Alias("crucible.measurement.tokens", "nv_dl"),
        "nv.dl.training.global_batch_size": Alias("crucible.batch.size", "nv_dl"),
        "nv.dl.training.config.global_batch_size": Alias("crucible.training.batch_size", "nv_dl"),
        "nv.dl.training.config.optimizer": Alias("crucible.training.optimizer", "nv_dl"),
        "nv.dl.training.target.train_iters": Alias("crucible.training.total_steps", "nv_dl"),
        "dl.batch_size": Alias("crucible.training.batch_size", "nv_dl"),
    },
)
"""Other keys of attributes and measurements; of several for one, the first counts most."""

MEASUREMENT_ALIASES: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("", "gen_ai.usage.prompt_tokens"): "input_tokens",
        ("", "gen_ai.usage.completion_tokens"): "output_tokens",
        ("", "gen_ai.usage.total_tokens"): "total_tokens",
        ("", "llm.usage.total_tokens"): "total_tokens",
        ("", "gen_ai.usage.cache_read_input_tokens"): "cached_tokens",
        ("", "gen_ai.usage.cache_creation_input_tokens"): "cache_creation_tokens",
        ("", "gen_ai.usage.cache_write_input_tokens"): "cache_creation_tokens",
        ("", "gen_ai.usage.reasoning_tokens"): "reasoning_tokens",
        ("", "llm.usage.reasoning_tokens"): "reasoning_tokens",
        ("", "gen_ai.response.time_to_first_chunk"): "time_to_first_token_ms",
        ("", "llm.token_count.prompt"): "input_tokens",
        ("", "llm.token_count.completion"): "output_tokens",
        ("", "llm.token_count.total"): "total_tokens",
        ("", "llm.token_count.prompt_details.cache_read"): "cached_tokens",
        ("", "llm.token_count.prompt_details.cache_input"): "cached_tokens",
        ("", "llm.token_count.prompt_details.cache_write"): "cache_creation_tokens",
        ("", "llm.token_count.completion_details.reasoning"): "reasoning_tokens",
        ("", "llm.cost.total"): "cost_usd",
        ("", "llm.cost.prompt"): "input_cost_usd",
        ("", "llm.cost.completion"): "output_cost_usd",
        ("", "megatron.training.loss"): "loss",
        ("", "megatron.training.grad_norm"): "gradient_norm",
        ("", "megatron.training.learning_rate"): "learning_rate",
        ("", "megatron.training.tokens_per_sec"): "tokens_per_second",
        ("", "megatron.training.throughput_tps"): "tokens_per_second",
        ("", "megatron.training.throughput_tflops"): "throughput_tflops",
        ("", "megatron.training.skipped_iters"): "skipped_iterations",
        ("", "megatron.training.memory_allocated_gb"): "gpu_memory_allocated_bytes",
        ("", "megatron.training.step_duration_ms"): "step_duration_ms",
        ("", "megatron.loss"): "loss",
        ("", "megatron.grad_norm"): "gradient_norm",
        ("", "nv.dl.training.learning_rate"): "learning_rate",
        ("", "nv.dl.training.params_norm"): "parameter_norm",
        ("", "nv.dl.training.grad_zeros"): "gradient_zeros",
        ("", "nv.dl.training.loss_scale"): "loss_scale",
        ("", "nv.dl.training.consumed_samples"): "total_samples",
        ("", "nv.dl.training.skipped_iterations"): "skipped_iterations",
        ("", "nv.dl.training.nan_iterations"): "nan_iterations",
        ("", "nv.dl.training.tokens.processed"): "tokens",
        ("", "gen_ai.usage.input_tokens"): "input_tokens",
        ("", "gen_ai.usage.output_tokens"): "output_tokens",
        ("", "gen_ai.usage.cache_read.input_tokens"): "cached_tokens",
        ("", "gen_ai.usage.cache_creation.input_tokens"): "cache_creation_tokens",
        ("", "gen_ai.usage.reasoning.output_tokens"): "reasoning_tokens",
        ("crucible_deployment.inference.stop", "tokens.prompt"): "input_tokens",
        ("crucible_deployment.inference.stop", "tokens.completion"): "output_tokens",
        ("crucible_deployment.inference.stop", "cached_input_tokens"): "cached_tokens",
        ("crucible_deployment.inference.stop", "cost"): "cost_usd",
        ("crucible_deployment.inference.stop", "total_cost"): "cost_usd",
        ("crucible_deployment.inference.exception", "tokens.prompt"): "input_tokens",
        ("crucible_deployment.inference.exception", "tokens.completion"): "output_tokens",
        ("crucible_deployment.inference.exception", "cached_input_tokens"): "cached_tokens",
        ("crucible_deployment.inference.exception", "cost"): "cost_usd",
        ("crucible_deployment.inference.exception", "total_cost"): "cost_usd",
        ("crucible_train.epoch.stop", "epoch_loss"): "loss",
        ("crucible_train.epoch.stop", "mean_loss"): "loss",
        ("crucible_train.epoch.stop", "avg_loss"): "loss",
        ("crucible_train.epoch.stop", "lr"): "learning_rate",
        ("crucible_train.epoch.exception", "epoch_loss"): "loss",
        ("crucible_train.epoch.exception", "mean_loss"): "loss",
        ("crucible_train.epoch.exception", "avg_loss"): "loss",
        ("crucible_train.epoch.exception", "lr"): "learning_rate",
        ("crucible_train.batch.stop", "epoch_loss"): "loss",
        ("crucible_train.batch.stop", "mean_loss"): "loss",
        ("crucible_train.batch.stop", "avg_loss"): "loss",
        ("crucible_train.batch.stop", "grad_norm"): "gradient_norm",
        ("crucible_train.batch.stop", "lr"): "learning_rate",
        ("crucible_train.checkpoint.saved", "size_bytes"): "model_size_bytes",
    },
)
"""The registry's name of a measurement by event (or nothing: any) and other name."""

MEASUREMENT_SCALES: Final[Mapping[str, float]] = MappingProxyType(
    {
        "gen_ai.response.time_to_first_chunk": 1000.0,
        "megatron.training.memory_allocated_gb": 1073741824.0,
    },
)
"""What a number is to be multiplied by, by its other key, where that is not 1."""

MEASUREMENT_PREFIXES: Final[tuple[str, ...]] = (
    "crucible.measurement.",
    "megatron.",
    "nv.dl.training.",
)
"""Beginnings of keys whose numbers are measurements, ours first."""
