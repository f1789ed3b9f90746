"""Instruments an ML experiment: what it does becomes OpenTelemetry spans, sent over OTLP.

    import crucible_telemetry as crucible

    crucible.configure(service_name="trainer")
    with crucible.experiment("lr-sweep", condition="lr=1e-3") as experiment:
        with experiment.training(model_name="mlp", config=config) as training:
            for epoch in training.epochs(10):
                for batch in epoch.batches(loader):
                    batch.log(loss=step(batch.data))

The map, in the order in which an event meets them: `experiment`, `training` and `epoch` are what a
user holds, each a `scope` with an `outcome`; `fields` and `values` turn what they are told into attributes; `ids` and
`telemetry` give ids, times and the tracer; `delivery` queues what ended, its `courier` has it sent
over a `transport` to a `destination`, or kept in the `spool`; `endings` sees to it that the last
gets out, however the process ends. `settings` reads arguments and environment, `faults` counts what went wrong, `testing` records
in memory.

No call after `configure()` raises into the experiment or waits for the network, save `flush()` and
`shutdown()`, which have deadlines.
"""

from crucible_telemetry.batch import Batch
from crucible_telemetry.carrying import carry
from crucible_telemetry.configuration import configure
from crucible_telemetry.epoch import Epoch
from crucible_telemetry.experiment import Experiment, experiment, training
from crucible_telemetry.inference import Inference, current_inference, inference
from crucible_telemetry.instrument import instrument
from crucible_telemetry.metrics_replay import replay
from crucible_telemetry.metrics_store import MetricsStore
from crucible_telemetry.pipeline import Pipeline, current_pipeline, pipeline
from crucible_telemetry.point import event
from crucible_telemetry.propagation import Continuation, current_context, extract, inject
from crucible_telemetry.recording import (
    record_attack,
    record_deployment,
    record_evaluation,
    record_explanation,
    record_feedback,
    record_health_check,
)
from crucible_telemetry.settings import ConfigurationError
from crucible_telemetry.stage import Stage, current_stage, stage
from crucible_telemetry.telemetry import counts, flush, shutdown
from crucible_telemetry.training import Training

__all__ = [
    "Batch",
    "ConfigurationError",
    "Continuation",
    "Epoch",
    "Experiment",
    "Inference",
    "MetricsStore",
    "Pipeline",
    "Stage",
    "Training",
    "carry",
    "configure",
    "counts",
    "current_context",
    "current_inference",
    "current_pipeline",
    "current_stage",
    "event",
    "experiment",
    "extract",
    "flush",
    "inference",
    "inject",
    "instrument",
    "pipeline",
    "record_attack",
    "record_deployment",
    "record_evaluation",
    "record_explanation",
    "record_feedback",
    "record_health_check",
    "replay",
    "shutdown",
    "stage",
    "training",
]
