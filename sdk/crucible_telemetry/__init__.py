"""Instruments an ML experiment: what it does becomes OpenTelemetry spans, sent over OTLP.

    import crucible_telemetry as crucible

    crucible.configure(service_name="trainer")
    with crucible.experiment("lr-sweep", condition="lr=1e-3") as experiment:
        with experiment.training(model_name="mlp", config=config) as training:
            for epoch in training.epochs(10):
                for batch in epoch.batches(loader):
                    batch.log(loss=step(batch.data))

The map, in the order in which an event meets the modules:

- `configuration` is `configure()`: `settings` (read by `readings`) becomes `telemetry`, the one thing
  that everything is recorded with; `ids` has its ids and clock.
- What a user holds: `experiment`, `pipeline`, `stage`, `training`, `epoch`, `batch` and `inference`,
  each a `scope` with an `outcome`. A `run` is what a training and a pipeline have in common, `staged`
  what stages are part of; `decoration` makes decorators of scopes.
- An inference's `answer`: `streaming` follows it, `pace` times it, `responses`, `messages` and `foreign`
  read what clients give back.
- What happens at one moment: `recording` and `point`; numbers of files: `metrics_store`,
  `metrics_replay`.
- What tells by itself: `integrations`, found by `instrument`; `heartbeat`; `hardware` with `host` and
  `gpus`.
- What comes back: `health`, asked over an `api_line`; and, apart from all this, `client` for who analyses.
- Across processes: `propagation` by a `carrier`, `carrying` for functions, `ranks` for launchers.
- On the way out: `fields` and `values` make attributes, `subscription` and `privacy` say what may leave,
  `emission` lets it; `encoding` makes the bytes, with `splicing` for batches.
- `delivery` puts it into the `outbox`; its `courier` has it sent, with `patience`, over a `transport`
  (`grpc_sender`, `http_sender`) to a `destination`, or kept in the `spool` (`spool_files`). `endings` sees
  to it that the last gets out, however the process ends.

`faults` counts what went wrong, by `counting`; `testing` records in memory.

No call after `configure()` raises into the experiment or waits for the network, save `flush()` and
`shutdown()`, which have deadlines.
"""

from crucible_telemetry.batch import Batch
from crucible_telemetry.carrying import carry
from crucible_telemetry.configuration import configure
from crucible_telemetry.epoch import Epoch
from crucible_telemetry.experiment import Experiment, experiment, training
from crucible_telemetry.health import Health
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
    "Health",
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
