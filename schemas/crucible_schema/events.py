"""Every event, attribute and measurement that has a meaning here. Generated: do not edit.

`schemas/generate.py` makes it from `schemas/registry/*.yaml`. Constants come first (attribute keys,
names of spans and events, enums), then the definitions they stand for.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from crucible_schema.definitions import (
    AttributeDefinition,
    AttributeType,
    AttributeUse,
    Duration,
    EventDefinition,
    EventKind,
    FreeMeasurements,
    Instrument,
    LifecycleDefinition,
    Location,
    MeasurementDefinition,
    MeasurementUse,
    MetricDefinition,
    Phase,
    Requirement,
    Watch,
    WatchClass,
    WatchScale,
    overridden,
)

# Attribute keys

ATTACK_TYPE: Final = "crucible.attack.type"
"""The kind of attack. Text, since new kinds come with every release of the packages that attack."""

ATTACK_SUCCESS: Final = "crucible.attack.success"
"""Whether it changed the answer."""

ATTACK_SEED: Final = "crucible.attack.seed"
"""The seed of its random numbers."""

ATTACK_DEFENSE_DETECTED: Final = "crucible.attack.defense_detected"
"""Whether a defence noticed it."""

ATTACK_RISK_LEVEL: Final = "crucible.attack.risk_level"
"""How dangerous the defence took it to be."""

ATTACK_BATCH_ID: Final = "crucible.attack.batch_id"
"""The batch of attacks it is part of."""

EVALUATION_ATTACK_TYPES: Final = "crucible.evaluation.attack_types"
"""The kinds of attacks that were used."""

EVALUATION_SEVERITY: Final = "crucible.evaluation.severity"
"""How severe the result is."""

EVALUATION_VULNERABILITIES: Final = "crucible.evaluation.vulnerabilities"
"""Vulnerabilities that were found."""

DEPLOYMENT_TARGET: Final = "crucible.deployment.target"
"""What serves it."""

DEPLOYMENT_STRATEGY: Final = "crucible.deployment.strategy"
"""How one version takes the place of another."""

DEPLOYMENT_ENVIRONMENT: Final = "crucible.deployment.environment"
"""Where it is deployed."""

DEPLOYMENT_TRAFFIC_PERCENT: Final = "crucible.deployment.traffic_percent"
"""The share of traffic it gets, 0 to 100."""

REQUEST_ID: Final = "crucible.request.id"
"""The request's id."""

USER_ID_HASH: Final = "crucible.user.id_hash"
"""Who it was, as a keyed hash in hex."""

INFERENCE_BATCH_SIZE: Final = "crucible.inference.batch_size"
"""Inputs in the call."""

HEALTH_CHECK_THRESHOLD_EXCEEDED: Final = "crucible.health_check.threshold_exceeded"
"""Whether a threshold was exceeded."""

HEALTH_CHECK_THRESHOLDS_ERROR_RATE: Final = "crucible.health_check.thresholds.error_rate"
"""The error rate above which the deployment is degraded, 0 to 1.

0.05 by default in crucible_deployment.
"""

HEALTH_CHECK_THRESHOLDS_P99_LATENCY: Final = "crucible.health_check.thresholds.p99_latency"
"""The 99th percentile of latency above which it is degraded, in ms.

500 by default in crucible_deployment.
"""

EXPERIMENT_ABORTED: Final = "crucible.experiment.aborted"
"""Whether it was given up before its end."""

EXPERIMENT_ABORT_REASON: Final = "crucible.experiment.abort_reason"
"""Why it was given up."""

EXPERIMENT_PAUSE_REASON: Final = "crucible.experiment.pause_reason"
"""Why it was paused."""

EXPERIMENT_METADATA: Final = "crucible.experiment.metadata"
"""Whatever else is to be known of it."""

HEARTBEAT_INTERVAL_S: Final = "crucible.heartbeat.interval_s"
"""Seconds until the next heartbeat."""

MEASUREMENT_ACTIVE_DURATION: Final = "crucible.measurement.active_duration"
"""Time it was not paused."""

MEASUREMENT_PAUSED_DURATION: Final = "crucible.measurement.paused_duration"
"""Time it was paused."""

MEASUREMENT_PAUSE_COUNT: Final = "crucible.measurement.pause_count"
"""How often it was paused."""

EXPLANATION_METHOD: Final = "crucible.explanation.method"
"""How the answer was explained; other methods may come."""

EXPLANATION_INSTANCE_ID: Final = "crucible.explanation.instance_id"
"""What was explained."""

EXPLANATION_KERNEL: Final = "crucible.explanation.kernel"
"""How perturbed samples are weighted by distance."""

EXPLANATION_PARALLEL: Final = "crucible.explanation.parallel"
"""Whether instances were explained in parallel."""

EXPLANATION_TOP_FEATURES: Final = "crucible.explanation.top_features"
"""The features that mattered most, best first, at most 10."""

FEEDBACK_TYPE: Final = "crucible.feedback.type"
"""What kind of feedback it is."""

FEEDBACK_LABEL: Final = "crucible.feedback.label"
"""The class that it should have been, or what was flagged."""

FEEDBACK_CONTENT: Final = "crucible.feedback.content"
"""What the person wrote, a correction for instance.

Content; sent only where the user asks for it.
"""

MEASUREMENT_RATING: Final = "crucible.measurement.rating"
"""The rating: 0 or 1 for thumbs, else as the service scales it."""

MEASUREMENT_LATENCY_MS: Final = "crucible.measurement.latency_ms"
"""How long the answer that it is about took."""

PIPELINE_ID: Final = "crucible.pipeline.id"
"""The pipeline's id; the run's where it has none of its own."""

PIPELINE_FAILED_STAGE: Final = "crucible.pipeline.failed_stage"
"""The stage at which it failed."""

EXPERIMENT_TYPE: Final = "crucible.experiment.type"
"""What the experiment does."""

EXPERIMENT_OWNER: Final = "crucible.experiment.owner"
"""Who answers for the experiment."""

BACKEND_ID: Final = "crucible.backend.id"
"""What the pipeline runs on."""

STAGE_MODULE: Final = "crucible.stage.module"
"""The code that does it."""

STAGE_ATTEMPT: Final = "crucible.stage.attempt"
"""Which attempt this is, from 1."""

STAGE_OPTIONS: Final = "crucible.stage.options"
"""Its options, as far as they are on the list of those allowed."""

STAGE_METRICS_DELTA: Final = "crucible.stage.metrics_delta"
"""What it changed of the pipeline's metrics, name by name."""

CPU_MODE: Final = "cpu.mode"
"""What the CPU did; all but idle where it is not there."""

SYSTEM_MEMORY_STATE: Final = "system.memory.state"
"""What the memory was used for."""

DISK_IO_DIRECTION: Final = "disk.io.direction"
"""Read or written."""

NETWORK_IO_DIRECTION: Final = "network.io.direction"
"""Received or sent."""

HW_ID: Final = "hw.id"
"""The component's id; the UUID of a GPU."""

HW_NAME: Final = "hw.name"
"""The component's name; a GPU's index on its host."""

HW_MODEL: Final = "hw.model"
"""What it is sold as."""

HW_VENDOR: Final = "hw.vendor"
"""Who made it."""

HW_TYPE: Final = "hw.type"
"""What kind of component it is."""

HW_GPU_TASK: Final = "hw.gpu.task"
"""What the GPU did; computing in general where it is not there."""

GPU_INDEX: Final = "crucible.gpu.index"
"""The GPU's place among those that the process sees, from 0."""

EXPERIMENT_ID: Final = "crucible.experiment.id"
"""The experiment this belongs to.

At most 256 bytes. The SDK takes the experiment's name where none is given.
"""

EXPERIMENT_NAME: Final = "crucible.experiment.name"
"""The experiment's name for people."""

EXPERIMENT_HYPOTHESIS: Final = "crucible.experiment.hypothesis"
"""What the experiment is to show."""

EXPERIMENT_TAGS: Final = "crucible.experiment.tags"
"""Free words to find the experiment by."""

CONDITION: Final = "crucible.condition"
"""The arm of the experiment, which comparisons are made between. At most 256 bytes."""

RUN_ID: Final = "crucible.run.id"
"""One execution of a pipeline or a training. At most 256 bytes, of any form."""

RUN_PARENT_ID: Final = "crucible.run.parent_id"
"""The run around this one, such as the pipeline that a training is part of. At most 256 bytes."""

CORRELATION_ID: Final = "crucible.correlation.id"
"""What joins events of several components and processes into one story.

Opaque, at most 128 characters; the trace id in hex where nobody set one. It crosses processes in
W3C baggage and in X-Correlation-Id.
"""

EVENT_NAME: Final = "crucible.event.name"
"""The event's name, where it is not the one that follows from the span's."""

EVENT_ID: Final = "crucible.event.id"
"""An id that the producer gave the event; otherwise the span id identifies it."""

STAGE_NAME: Final = "crucible.stage.name"
"""The stage of a pipeline in which this happened."""

STAGE_INDEX: Final = "crucible.stage.index"
"""The stage's place in its pipeline, from 0."""

LOOP_NAME: Final = "crucible.loop.name"
"""The loop whose iteration this stage is part of; the innermost of several."""

LOOP_INDEX: Final = "crucible.loop.index"
"""The iteration of that loop, from 0."""

STEP: Final = "crucible.step"
"""The optimiser's step, counted from 0 through the whole run; the x axis of curves."""

EPOCH: Final = "crucible.epoch"
"""The pass over the data, from 0."""

RANK: Final = "crucible.rank"
"""Which process of a distributed run, from 0."""

WORK_ID: Final = "crucible.work.id"
"""The unit of work that a scheduler handed out."""

PLAN_ID: Final = "crucible.plan.id"
"""The plan that the work is part of."""

PLAN_STEP_ID: Final = "crucible.plan.step_id"
"""The step of the plan. Not a training step."""

SESSION_ID: Final = "crucible.session.id"
"""The session of a user or a service."""

DEPLOYMENT_ID: Final = "crucible.deployment.id"
"""The deployed model instance."""

TENANT_ID: Final = "crucible.tenant.id"
"""Whose data this is, where several tenants share a system."""

MEASUREMENT_LOSS: Final = "crucible.measurement.loss"
"""The training loss."""

MEASUREMENT_ACCURACY: Final = "crucible.measurement.accuracy"
"""The share of right answers on training data, 0 to 1."""

MEASUREMENT_VAL_LOSS: Final = "crucible.measurement.val_loss"
"""The loss on held-out data."""

MEASUREMENT_VAL_ACCURACY: Final = "crucible.measurement.val_accuracy"
"""The share of right answers on held-out data, 0 to 1."""

MEASUREMENT_GRADIENT_NORM: Final = "crucible.measurement.gradient_norm"
"""The norm of the gradient over all parameters, before clipping."""

MEASUREMENT_LEARNING_RATE: Final = "crucible.measurement.learning_rate"
"""The learning rate in force.

The packages put it into metadata; it is a measurement here, so that it has a curve.
"""

MEASUREMENT_TOKENS: Final = "crucible.measurement.tokens"
"""Tokens worked through."""

MEASUREMENT_SAMPLES: Final = "crucible.measurement.samples"
"""Samples worked through."""

MEASUREMENT_STEPS: Final = "crucible.measurement.steps"
"""Steps of an epoch."""

MEASUREMENT_TOTAL_STEPS: Final = "crucible.measurement.total_steps"
"""Steps of the whole training: planned at its start, done at its stop."""

MEASUREMENT_TOTAL_EPOCHS: Final = "crucible.measurement.total_epochs"
"""Epochs done."""

MEASUREMENT_DATASET_SIZE: Final = "crucible.measurement.dataset_size"
"""Samples in the training data."""

MEASUREMENT_FINAL_LOSS: Final = "crucible.measurement.final_loss"
"""The loss at the end. Accepted in metadata too."""

MEASUREMENT_FINAL_ACCURACY: Final = "crucible.measurement.final_accuracy"
"""The accuracy at the end, 0 to 1. Accepted in metadata too."""

MEASUREMENT_REWARD_MEAN: Final = "crucible.measurement.reward_mean"
"""Mean reward of a batch."""

MEASUREMENT_REWARD_STD: Final = "crucible.measurement.reward_std"
"""Standard deviation of the reward in a batch."""

MEASUREMENT_KL_DIVERGENCE: Final = "crucible.measurement.kl_divergence"
"""Divergence of the policy from its reference."""

MEASUREMENT_ENTROPY: Final = "crucible.measurement.entropy"
"""Entropy of the policy."""

MEASUREMENT_POLICY_LOSS: Final = "crucible.measurement.policy_loss"
"""Loss of the policy; may be negative."""

MEASUREMENT_VALUE_LOSS: Final = "crucible.measurement.value_loss"
"""Loss of the value function."""

MEASUREMENT_MARGIN: Final = "crucible.measurement.margin"
"""Chosen reward less rejected reward."""

MEASUREMENT_CHOSEN_REWARD: Final = "crucible.measurement.chosen_reward"
"""Implicit reward of the preferred answers."""

MEASUREMENT_REJECTED_REWARD: Final = "crucible.measurement.rejected_reward"
"""Implicit reward of the rejected answers."""

MEASUREMENT_MODEL_SIZE_BYTES: Final = "crucible.measurement.model_size_bytes"
"""Size of what was saved."""

MEASUREMENT_INPUT_SIZE: Final = "crucible.measurement.input_size"
"""Size of the input in bytes; tokens have a field of their own."""

MEASUREMENT_OUTPUT_SIZE: Final = "crucible.measurement.output_size"
"""Size of the output in bytes; tokens have a field of their own."""

MEASUREMENT_TIME_TO_FIRST_TOKEN_MS: Final = "crucible.measurement.time_to_first_token_ms"
"""From the request to the first token of the answer."""

MEASUREMENT_TIME_PER_OUTPUT_TOKEN_MS: Final = "crucible.measurement.time_per_output_token_ms"
"""From one token of the answer to the next, on average after the first."""

MEASUREMENT_TOKENS_PER_SECOND: Final = "crucible.measurement.tokens_per_second"
"""Tokens of the answer over the time the call took."""

MEASUREMENT_COST_USD: Final = "crucible.measurement.cost_usd"
"""What the call cost."""

MEASUREMENT_LATENCY_P50: Final = "crucible.measurement.latency_p50"
"""Median latency of the requests checked."""

MEASUREMENT_LATENCY_P99: Final = "crucible.measurement.latency_p99"
"""99th percentile of their latency."""

MEASUREMENT_ERROR_RATE: Final = "crucible.measurement.error_rate"
"""The share of requests that failed, 0 to 1."""

MEASUREMENT_REQUESTS_PER_SECOND: Final = "crucible.measurement.requests_per_second"
"""Requests served."""

MEASUREMENT_STAGE_COUNT: Final = "crucible.measurement.stage_count"
"""Stages that the pipeline has."""

MEASUREMENT_STAGES_COMPLETED: Final = "crucible.measurement.stages_completed"
"""Stages that came to their end."""

MEASUREMENT_NUM_SAMPLES: Final = "crucible.measurement.num_samples"
"""Perturbed samples that the explanation was fitted to."""

MEASUREMENT_NUM_FEATURES: Final = "crucible.measurement.num_features"
"""Features that were attributed to."""

MEASUREMENT_N_INSTANCES: Final = "crucible.measurement.n_instances"
"""Instances that were explained."""

MEASUREMENT_SCORE: Final = "crucible.measurement.score"
"""How well the local model fits."""

MEASUREMENT_FAITHFULNESS: Final = "crucible.measurement.faithfulness"
"""Agreement of attributions with the effect of removing features."""

MEASUREMENT_INFIDELITY: Final = "crucible.measurement.infidelity"
"""Squared error of attributions under perturbation."""

MEASUREMENT_SENSITIVITY: Final = "crucible.measurement.sensitivity"
"""Largest change of the attributions under small changes of the input."""

MEASUREMENT_SUCCESS: Final = "crucible.measurement.success"
"""1 where the attack changed the answer, else 0."""

MEASUREMENT_INPUT_LENGTH: Final = "crucible.measurement.input_length"
"""Length of the original input."""

MEASUREMENT_OUTPUT_LENGTH: Final = "crucible.measurement.output_length"
"""Length of the attacked input."""

MEASUREMENT_PERTURBATION_RATE: Final = "crucible.measurement.perturbation_rate"
"""The share of the input that was changed, 0 to 1."""

MEASUREMENT_ORIGINAL_ACCURACY: Final = "crucible.measurement.original_accuracy"
"""Accuracy without an attack, 0 to 1."""

MEASUREMENT_ATTACKED_ACCURACY: Final = "crucible.measurement.attacked_accuracy"
"""Accuracy under attack, 0 to 1."""

MEASUREMENT_ABSOLUTE_DROP: Final = "crucible.measurement.absolute_drop"
"""Original less attacked accuracy."""

MEASUREMENT_RELATIVE_DROP: Final = "crucible.measurement.relative_drop"
"""The drop as a share of the original accuracy."""

MEASUREMENT_OVERALL_ASR: Final = "crucible.measurement.overall_asr"
"""The share of attacks that succeeded, 0 to 1."""

MEASUREMENT_TEST_SET_SIZE: Final = "crucible.measurement.test_set_size"
"""Samples the evaluation used."""

MEASUREMENT_COUNT: Final = "crucible.measurement.count"
"""How many; 1 where the event itself is what is counted."""

SERVICE_NAME: Final = "service.name"
"""The service that sent this."""

SERVICE_VERSION: Final = "service.version"
"""The service's version."""

HOST_NAME: Final = "host.name"
"""The host's name."""

PROCESS_PID: Final = "process.pid"
"""The process id."""

EXCEPTION_TYPE: Final = "exception.type"
"""The exception's class."""

EXCEPTION_MESSAGE: Final = "exception.message"
"""The exception's message."""

EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
"""The stack trace as text."""

HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
"""The status code of the answer."""

GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
"""What was asked for."""

GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
"""Whose interface was called."""

GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
"""The model that was asked for."""

GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
"""The model that answered."""

GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
"""The id of the answer."""

GEN_AI_RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
"""Why the model stopped, one reason a choice."""

GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
"""Tokens of the prompt."""

GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
"""Tokens of the answer."""

GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
"""Tokens of the prompt that came from the provider's cache; part of the input tokens."""

GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
"""Tokens of the prompt that went into the provider's cache; part of the input tokens."""

GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
"""Tokens spent on reasoning; part of the output tokens."""

GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
"""The most tokens that the answer may have."""

GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
"""The temperature that was asked for."""

GEN_AI_REQUEST_TOP_P: Final = "gen_ai.request.top_p"
"""The probability mass that was sampled from."""

GEN_AI_INPUT_MESSAGES: Final = "gen_ai.input.messages"
"""What was sent to the model. Content; sent only where the user asks for it."""

GEN_AI_OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
"""What the model answered. Content; sent only where the user asks for it."""

USER_ID: Final = "user.id"
"""Who it was, in plain. Personal; sent only where the user asks for it."""

STATUS: Final = "crucible.status"
"""The outcome of what the event tells of."""

RUN_STATUS: Final = "crucible.run.status"
"""The state of a run."""

EXPERIMENT_STATUS: Final = "crucible.experiment.status"
"""The state of an experiment."""

ANOMALY_STATUS: Final = "crucible.anomaly.status"
"""The state of an anomaly period."""

ANOMALY_SEVERITY: Final = "crucible.anomaly.severity"
"""How much an anomaly asks for attention."""

ERROR_KIND: Final = "crucible.error.kind"
"""The class of the exception, or the BEAM's error, exit or throw."""

ERROR_REASON: Final = "crucible.error.reason"
"""The message, in one line."""

MODEL_NAME: Final = "crucible.model.name"
"""The model's name."""

MODEL_VERSION: Final = "crucible.model.version"
"""The model's version."""

DATASET_NAME: Final = "crucible.dataset.name"
"""The data set's name."""

DATASET_SPLIT: Final = "crucible.dataset.split"
"""The part of it that is used."""

TRAINING_CONFIG: Final = "crucible.training.config"
"""The whole configuration."""

TRAINING_CONFIG_ID: Final = "crucible.training.config_id"
"""The id of a stored configuration."""

TRAINING_ALGORITHM: Final = "crucible.training.algorithm"
"""How the model learns."""

TRAINING_EPOCHS: Final = "crucible.training.epochs"
"""Epochs planned."""

TRAINING_TOTAL_STEPS: Final = "crucible.training.total_steps"
"""Steps planned."""

TRAINING_BATCH_SIZE: Final = "crucible.training.batch_size"
"""Samples a batch, as configured."""

TRAINING_LEARNING_RATE: Final = "crucible.training.learning_rate"
"""The learning rate that was configured. The one in force is the measurement of the same name."""

TRAINING_LR_SCHEDULE: Final = "crucible.training.lr_schedule"
"""How the learning rate changes."""

TRAINING_OPTIMIZER: Final = "crucible.training.optimizer"
"""The optimiser."""

TRAINING_LOSS_FUNCTION: Final = "crucible.training.loss_function"
"""The loss."""

TRAINING_SEED: Final = "crucible.training.seed"
"""The seed of its random numbers."""

TRAINING_DEVICE: Final = "crucible.training.device"
"""Where it computes."""

TRAINING_MIXED_PRECISION: Final = "crucible.training.mixed_precision"
"""Whether it computes in reduced precision where that is safe."""

TRAINING_GRADIENT_CLIPPING: Final = "crucible.training.gradient_clipping"
"""The norm that gradients are clipped to."""

TRAINING_EARLY_STOPPING: Final = "crucible.training.early_stopping"
"""When it would stop early."""

TRAINING_CHECKPOINT_EVERY: Final = "crucible.training.checkpoint_every"
"""Steps from one checkpoint to the next."""

TRAINING_METRICS: Final = "crucible.training.metrics"
"""Names of the numbers it will report."""

TRAINING_BEST_METRICS: Final = "crucible.training.best_metrics"
"""The best value of each number."""

TRAINING_BEST_EPOCH: Final = "crucible.training.best_epoch"
"""The epoch that reached them."""

TRAINING_PATIENCE: Final = "crucible.training.patience"
"""Epochs without improvement that were waited for."""

TRAINING_FINAL_MODEL_VERSION: Final = "crucible.training.final_model_version"
"""The version under which the result was registered."""

TRAINING_CHECKPOINT_URIS: Final = "crucible.training.checkpoint_uris"
"""Where its checkpoints lie."""

BATCH_INDEX: Final = "crucible.batch.index"
"""The batch's place in its epoch, from 0."""

BATCH_SIZE: Final = "crucible.batch.size"
"""Samples in this batch."""

CHECKPOINT_PATH: Final = "crucible.checkpoint.path"
"""Where it lies."""

CHECKPOINT_NAME: Final = "crucible.checkpoint.name"
"""Its name."""

CHECKPOINT_KIND: Final = "crucible.checkpoint.kind"
"""What can be done with it."""

# Names of spans that begin and end

CRUCIBLE_DEPLOYMENT_INFERENCE: Final = "crucible_deployment.inference"
"""One call of a model."""

CRUCIBLE_TELEMETRY_EXPERIMENT: Final = "crucible_telemetry.experiment"
"""One stretch of work on an experiment, under one condition. Begins a trace of its own."""

CRUCIBLE_FRAMEWORK_PIPELINE: Final = "crucible_framework.pipeline"
"""One execution of a pipeline."""

CRUCIBLE_FRAMEWORK_STAGE: Final = "crucible_framework.stage"
"""One stage of a pipeline. A child of its pipeline."""

CRUCIBLE_TRAIN_TRAINING: Final = "crucible_train.training"
"""One training of one model. Begins a trace of its own."""

CRUCIBLE_TRAIN_EPOCH: Final = "crucible_train.epoch"
"""One pass over the data. Begins a trace of its own, linked to the training's."""

CRUCIBLE_TRAIN_BATCH: Final = "crucible_train.batch"
"""One step of the optimiser. A child of its epoch."""

# Names of events

CRUCIBLE_ADVERSARY_ATTACK_EXECUTED: Final = "crucible_adversary.attack.executed"
"""A model was attacked once."""

CRUCIBLE_ADVERSARY_EVALUATION_COMPLETE: Final = "crucible_adversary.evaluation.complete"
"""A model's robustness was evaluated."""

CRUCIBLE_DEPLOYMENT_INFERENCE_START: Final = "crucible_deployment.inference.start"
"""A call begins."""

CRUCIBLE_DEPLOYMENT_INFERENCE_STOP: Final = "crucible_deployment.inference.stop"
"""A call was answered."""

CRUCIBLE_DEPLOYMENT_INFERENCE_EXCEPTION: Final = "crucible_deployment.inference.exception"
"""A call failed."""

CRUCIBLE_DEPLOYMENT_HEALTH_CHECK_COMPLETED: Final = "crucible_deployment.health_check.completed"
"""A deployment was checked."""

CRUCIBLE_DEPLOYMENT_DEPLOY: Final = "crucible_deployment.deploy"
"""A model version was deployed."""

CRUCIBLE_DEPLOYMENT_PROMOTE: Final = "crucible_deployment.promote"
"""A deployed version took over the traffic."""

CRUCIBLE_DEPLOYMENT_ROLLBACK: Final = "crucible_deployment.rollback"
"""The version before took over again."""

CRUCIBLE_DEPLOYMENT_TERMINATE: Final = "crucible_deployment.terminate"
"""A deployment was taken down."""

CRUCIBLE_TELEMETRY_EXPERIMENT_START: Final = "crucible_telemetry.experiment.start"
"""Work on an experiment begins."""

CRUCIBLE_TELEMETRY_EXPERIMENT_STOP: Final = "crucible_telemetry.experiment.stop"
"""Work on an experiment came to its end."""

CRUCIBLE_TELEMETRY_EXPERIMENT_EXCEPTION: Final = "crucible_telemetry.experiment.exception"
"""Work on an experiment was ended by an error."""

CRUCIBLE_TELEMETRY_EXPERIMENT_PAUSED: Final = "crucible_telemetry.experiment.paused"
"""Work on an experiment was halted for a while."""

CRUCIBLE_TELEMETRY_EXPERIMENT_RESUMED: Final = "crucible_telemetry.experiment.resumed"
"""Work on an experiment goes on."""

CRUCIBLE_TELEMETRY_RUN_HEARTBEAT: Final = "crucible_telemetry.run.heartbeat"
"""A run is alive."""

CRUCIBLE_XAI_EXPLANATION_GENERATED: Final = "crucible_xai.explanation.generated"
"""One answer, or several at once, were explained."""

CRUCIBLE_FEEDBACK_FEEDBACK_RECORDED: Final = "crucible_feedback.feedback.recorded"
"""Somebody judged an answer."""

CRUCIBLE_FRAMEWORK_PIPELINE_START: Final = "crucible_framework.pipeline.start"
"""A pipeline begins."""

CRUCIBLE_FRAMEWORK_PIPELINE_STOP: Final = "crucible_framework.pipeline.stop"
"""A pipeline came to its end, or was halted by a stage."""

CRUCIBLE_FRAMEWORK_PIPELINE_EXCEPTION: Final = "crucible_framework.pipeline.exception"
"""A pipeline was ended by an exception."""

CRUCIBLE_FRAMEWORK_STAGE_START: Final = "crucible_framework.stage.start"
"""A stage begins."""

CRUCIBLE_FRAMEWORK_STAGE_STOP: Final = "crucible_framework.stage.stop"
"""A stage came to its end, reported an error, or was skipped."""

CRUCIBLE_FRAMEWORK_STAGE_EXCEPTION: Final = "crucible_framework.stage.exception"
"""A stage was ended by an exception."""

CRUCIBLE_TRAIN_TRAINING_START: Final = "crucible_train.training.start"
"""A training begins."""

CRUCIBLE_TRAIN_TRAINING_STOP: Final = "crucible_train.training.stop"
"""A training came to its end."""

CRUCIBLE_TRAIN_TRAINING_EXCEPTION: Final = "crucible_train.training.exception"
"""A training was ended by an error."""

CRUCIBLE_TRAIN_EPOCH_START: Final = "crucible_train.epoch.start"
"""An epoch begins."""

CRUCIBLE_TRAIN_EPOCH_STOP: Final = "crucible_train.epoch.stop"
"""An epoch came to its end."""

CRUCIBLE_TRAIN_EPOCH_EXCEPTION: Final = "crucible_train.epoch.exception"
"""An epoch was ended by an error."""

CRUCIBLE_TRAIN_BATCH_STOP: Final = "crucible_train.batch.stop"
"""A batch was worked through, or failed."""

CRUCIBLE_TRAIN_CHECKPOINT_SAVED: Final = "crucible_train.checkpoint.saved"
"""A checkpoint was written."""


class ExplanationMethod(enum.StrEnum):
    """How the answer was explained; other methods may come.

    Values of `crucible.explanation.method`.
    """

    LIME = "lime"
    """A local linear model."""

    SHAP = "shap"
    """Shapley values, exact or by a method not named."""

    KERNEL_SHAP = "kernel_shap"
    """Shapley values by weighted regression."""

    LINEAR_SHAP = "linear_shap"
    """Shapley values of a linear model."""

    SAMPLING_SHAP = "sampling_shap"
    """Shapley values by sampling."""

    FEATURE_IMPORTANCE = "feature_importance"
    """Importance over the whole data."""

    GRADIENT = "gradient"
    """Gradients with respect to the input."""


class FeedbackType(enum.StrEnum):
    """What kind of feedback it is. Values of `crucible.feedback.type`."""

    THUMBS = "thumbs"
    """Up or down: a rating of 1 or 0."""

    RATING = "rating"
    """A number."""

    CORRECTION = "correction"
    """A better answer."""

    LABEL = "label"
    """The right class."""

    FLAG = "flag"
    """Something is wrong with the answer."""


class ExperimentType(enum.StrEnum):
    """What the experiment does. Values of `crucible.experiment.type`."""

    EVALUATION = "evaluation"
    """Measures a model."""

    TRAINING = "training"
    """Makes a model."""

    COMPARISON = "comparison"
    """Sets models or conditions side by side."""

    ABLATION = "ablation"
    """Takes parts away to see what they did."""


class Status(enum.StrEnum):
    """The outcome of what the event tells of. Values of `crucible.status`."""

    PENDING = "pending"
    """Not begun yet."""

    RUNNING = "running"
    """Under way."""

    COMPLETED = "completed"
    """Came to its end."""

    FAILED = "failed"
    """Ended by an error."""

    CANCELLED = "cancelled"
    """Ended by a person or a scheduler."""

    EARLY_STOPPED = "early_stopped"
    """Ended early because it no longer improved."""

    STALLED = "stalled"
    """Silent for too long."""

    OK = "ok"
    """The step succeeded."""

    ERROR = "error"
    """The step failed; what is around it may go on."""

    SKIPPED = "skipped"
    """The step was left out on purpose."""

    HEALTHY = "healthy"
    """Within every threshold."""

    UNHEALTHY = "unhealthy"
    """Not serving."""

    DEGRADED = "degraded"
    """Serving, outside a threshold."""

    UNKNOWN = "unknown"
    """Could not be told."""


class RunStatus(enum.StrEnum):
    """The state of a run. Values of `crucible.run.status`."""

    PENDING = "pending"
    """Announced and not begun."""

    RUNNING = "running"
    """Under way."""

    COMPLETED = "completed"
    """Came to its end."""

    FAILED = "failed"
    """Ended by an error."""

    CANCELLED = "cancelled"
    """Ended by a person or a scheduler."""

    EARLY_STOPPED = "early_stopped"
    """Ended early because it no longer improved."""

    STALLED = "stalled"
    """No sign of life for too long."""


class ExperimentStatus(enum.StrEnum):
    """The state of an experiment. Values of `crucible.experiment.status`."""

    RUNNING = "running"
    """Taking in data."""

    PAUSED = "paused"
    """Halted for a while."""

    STOPPED = "stopped"
    """At its end."""

    ARCHIVED = "archived"
    """Put away; out of the lists."""


class AnomalyStatus(enum.StrEnum):
    """The state of an anomaly period. Values of `crucible.anomaly.status`."""

    ACTIVE = "active"
    """Going on."""

    ACKNOWLEDGED = "acknowledged"
    """Seen by a person."""

    RESOLVED = "resolved"
    """Over."""

    SILENCED = "silenced"
    """Not to be reported."""


class AnomalySeverity(enum.StrEnum):
    """How much an anomaly asks for attention. Values of `crucible.anomaly.severity`."""

    INFO = "info"
    """Worth knowing."""

    WARNING = "warning"
    """Worth a look."""

    CRITICAL = "critical"
    """Needs action."""


class TrainingAlgorithm(enum.StrEnum):
    """How the model learns. Values of `crucible.training.algorithm`."""

    SUPERVISED = "supervised"
    """From labels."""

    DPO = "dpo"
    """From preferences (direct preference optimisation)."""

    RL = "rl"
    """From rewards."""

    DISTILLATION = "distillation"
    """From a teacher."""


class CheckpointKind(enum.StrEnum):
    """What can be done with it. Values of `crucible.checkpoint.kind`."""

    STATE = "state"
    """The training can go on from it."""

    SAMPLER = "sampler"
    """The model can be sampled from it."""


ATTRIBUTES: Final[Mapping[str, AttributeDefinition]] = MappingProxyType(
    {
        ATTACK_TYPE: AttributeDefinition(
            key=ATTACK_TYPE,
            type=AttributeType.STRING,
            brief="The kind of attack.",
            field="attack_type",
            examples=("character_swap", "prompt_injection_basic", "jailbreak_roleplay"),
            note="Text, since new kinds come with every release of the packages that attack.",
        ),
        ATTACK_SUCCESS: AttributeDefinition(
            key=ATTACK_SUCCESS,
            type=AttributeType.BOOLEAN,
            brief="Whether it changed the answer.",
            field="success",
        ),
        ATTACK_SEED: AttributeDefinition(
            key=ATTACK_SEED,
            type=AttributeType.INT,
            brief="The seed of its random numbers.",
            field="seed",
            examples=(42,),
        ),
        ATTACK_DEFENSE_DETECTED: AttributeDefinition(
            key=ATTACK_DEFENSE_DETECTED,
            type=AttributeType.BOOLEAN,
            brief="Whether a defence noticed it.",
            field="defense_detected",
        ),
        ATTACK_RISK_LEVEL: AttributeDefinition(
            key=ATTACK_RISK_LEVEL,
            type=AttributeType.STRING,
            brief="How dangerous the defence took it to be.",
            field="risk_level",
            examples=("low", "high"),
        ),
        ATTACK_BATCH_ID: AttributeDefinition(
            key=ATTACK_BATCH_ID,
            type=AttributeType.STRING,
            brief="The batch of attacks it is part of.",
            field="batch_id",
            examples=("attacks-7",),
        ),
        EVALUATION_ATTACK_TYPES: AttributeDefinition(
            key=EVALUATION_ATTACK_TYPES,
            type=AttributeType.STRINGS,
            brief="The kinds of attacks that were used.",
            field="attack_types",
            examples=(("character_swap", "word_deletion"),),
        ),
        EVALUATION_SEVERITY: AttributeDefinition(
            key=EVALUATION_SEVERITY,
            type=AttributeType.STRING,
            brief="How severe the result is.",
            field="severity",
            examples=("low", "critical"),
        ),
        EVALUATION_VULNERABILITIES: AttributeDefinition(
            key=EVALUATION_VULNERABILITIES,
            type=AttributeType.INT,
            brief="Vulnerabilities that were found.",
            field="vulnerabilities",
            examples=(2,),
        ),
        DEPLOYMENT_TARGET: AttributeDefinition(
            key=DEPLOYMENT_TARGET,
            type=AttributeType.STRING,
            brief="What serves it.",
            field="target",
            examples=("vllm", "ollama", "tgi", "huggingface", "kubernetes", "noop"),
        ),
        DEPLOYMENT_STRATEGY: AttributeDefinition(
            key=DEPLOYMENT_STRATEGY,
            type=AttributeType.STRING,
            brief="How one version takes the place of another.",
            field="strategy",
            examples=("replace", "blue_green", "canary", "ab_test", "rolling", "recreate"),
        ),
        DEPLOYMENT_ENVIRONMENT: AttributeDefinition(
            key=DEPLOYMENT_ENVIRONMENT,
            type=AttributeType.STRING,
            brief="Where it is deployed.",
            field="environment",
            examples=("staging",),
        ),
        DEPLOYMENT_TRAFFIC_PERCENT: AttributeDefinition(
            key=DEPLOYMENT_TRAFFIC_PERCENT,
            type=AttributeType.DOUBLE,
            brief="The share of traffic it gets, 0 to 100.",
            field="traffic_percent",
            examples=(10.0,),
        ),
        REQUEST_ID: AttributeDefinition(
            key=REQUEST_ID,
            type=AttributeType.STRING,
            brief="The request's id.",
            field="request_id",
            examples=("req-8f14e45f",),
        ),
        USER_ID_HASH: AttributeDefinition(
            key=USER_ID_HASH,
            type=AttributeType.STRING,
            brief="Who it was, as a keyed hash in hex.",
            field="user_id_hash",
            examples=("b1946ac92492d2347c6235b4d2611184",),
        ),
        INFERENCE_BATCH_SIZE: AttributeDefinition(
            key=INFERENCE_BATCH_SIZE,
            type=AttributeType.INT,
            brief="Inputs in the call.",
            field="batch_size",
            examples=(1,),
        ),
        HEALTH_CHECK_THRESHOLD_EXCEEDED: AttributeDefinition(
            key=HEALTH_CHECK_THRESHOLD_EXCEEDED,
            type=AttributeType.BOOLEAN,
            brief="Whether a threshold was exceeded.",
            field="threshold_exceeded",
        ),
        HEALTH_CHECK_THRESHOLDS_ERROR_RATE: AttributeDefinition(
            key=HEALTH_CHECK_THRESHOLDS_ERROR_RATE,
            type=AttributeType.DOUBLE,
            brief="The error rate above which the deployment is degraded, 0 to 1.",
            field="thresholds.error_rate",
            examples=(0.05,),
            note="0.05 by default in crucible_deployment.",
        ),
        HEALTH_CHECK_THRESHOLDS_P99_LATENCY: AttributeDefinition(
            key=HEALTH_CHECK_THRESHOLDS_P99_LATENCY,
            type=AttributeType.DOUBLE,
            brief="The 99th percentile of latency above which it is degraded, in ms.",
            field="thresholds.p99_latency",
            examples=(500.0,),
            note="500 by default in crucible_deployment.",
        ),
        EXPERIMENT_ABORTED: AttributeDefinition(
            key=EXPERIMENT_ABORTED,
            type=AttributeType.BOOLEAN,
            brief="Whether it was given up before its end.",
            field="aborted",
        ),
        EXPERIMENT_ABORT_REASON: AttributeDefinition(
            key=EXPERIMENT_ABORT_REASON,
            type=AttributeType.STRING,
            brief="Why it was given up.",
            field="abort_reason",
            examples=("the data set was wrong",),
        ),
        EXPERIMENT_PAUSE_REASON: AttributeDefinition(
            key=EXPERIMENT_PAUSE_REASON,
            type=AttributeType.STRING,
            brief="Why it was paused.",
            field="pause_reason",
            examples=("the GPU is needed elsewhere",),
        ),
        EXPERIMENT_METADATA: AttributeDefinition(
            key=EXPERIMENT_METADATA,
            type=AttributeType.STRING,
            brief="Whatever else is to be known of it.",
            field="experiment_metadata",
            is_json=True,
            examples=('{"ticket": "ML-42"}',),
        ),
        HEARTBEAT_INTERVAL_S: AttributeDefinition(
            key=HEARTBEAT_INTERVAL_S,
            type=AttributeType.DOUBLE,
            brief="Seconds until the next heartbeat.",
            field="interval_s",
            examples=(10.0,),
        ),
        EXPLANATION_METHOD: AttributeDefinition(
            key=EXPLANATION_METHOD,
            type=AttributeType.STRING,
            brief="How the answer was explained; other methods may come.",
            field="method",
            values=(
                "lime",
                "shap",
                "kernel_shap",
                "linear_shap",
                "sampling_shap",
                "feature_importance",
                "gradient",
            ),
        ),
        EXPLANATION_INSTANCE_ID: AttributeDefinition(
            key=EXPLANATION_INSTANCE_ID,
            type=AttributeType.STRING,
            brief="What was explained.",
            field="instance_id",
            examples=("digit-42",),
        ),
        EXPLANATION_KERNEL: AttributeDefinition(
            key=EXPLANATION_KERNEL,
            type=AttributeType.STRING,
            brief="How perturbed samples are weighted by distance.",
            field="kernel",
            examples=("exponential", "cosine"),
        ),
        EXPLANATION_PARALLEL: AttributeDefinition(
            key=EXPLANATION_PARALLEL,
            type=AttributeType.BOOLEAN,
            brief="Whether instances were explained in parallel.",
            field="parallel",
        ),
        EXPLANATION_TOP_FEATURES: AttributeDefinition(
            key=EXPLANATION_TOP_FEATURES,
            type=AttributeType.STRINGS,
            brief="The features that mattered most, best first, at most 10.",
            field="top_features",
            examples=(("pixel_21", "pixel_36"),),
        ),
        FEEDBACK_TYPE: AttributeDefinition(
            key=FEEDBACK_TYPE,
            type=AttributeType.STRING,
            brief="What kind of feedback it is.",
            field="feedback_type",
            values=("thumbs", "rating", "correction", "label", "flag"),
        ),
        FEEDBACK_LABEL: AttributeDefinition(
            key=FEEDBACK_LABEL,
            type=AttributeType.STRING,
            brief="The class that it should have been, or what was flagged.",
            field="label",
            examples=("toxic",),
        ),
        FEEDBACK_CONTENT: AttributeDefinition(
            key=FEEDBACK_CONTENT,
            type=AttributeType.STRING,
            brief="What the person wrote, a correction for instance.",
            field="content",
            aliases=("correction", "comment"),
            examples=("The capital is Canberra.",),
            note="Content; sent only where the user asks for it.",
        ),
        PIPELINE_ID: AttributeDefinition(
            key=PIPELINE_ID,
            type=AttributeType.STRING,
            brief="The pipeline's id; the run's where it has none of its own.",
            field="pipeline_id",
            examples=("tokenise-and-train",),
        ),
        PIPELINE_FAILED_STAGE: AttributeDefinition(
            key=PIPELINE_FAILED_STAGE,
            type=AttributeType.STRING,
            brief="The stage at which it failed.",
            field="failed_stage",
            examples=("tokenise",),
        ),
        EXPERIMENT_TYPE: AttributeDefinition(
            key=EXPERIMENT_TYPE,
            type=AttributeType.STRING,
            brief="What the experiment does.",
            field="experiment_type",
            values=("evaluation", "training", "comparison", "ablation"),
        ),
        EXPERIMENT_OWNER: AttributeDefinition(
            key=EXPERIMENT_OWNER,
            type=AttributeType.STRING,
            brief="Who answers for the experiment.",
            field="owner",
            examples=("vision-team",),
        ),
        BACKEND_ID: AttributeDefinition(
            key=BACKEND_ID,
            type=AttributeType.STRING,
            brief="What the pipeline runs on.",
            field="backend_id",
            examples=("local", "vllm"),
        ),
        STAGE_MODULE: AttributeDefinition(
            key=STAGE_MODULE,
            type=AttributeType.STRING,
            brief="The code that does it.",
            field="stage_module",
            aliases=("module",),
            examples=("pipeline.tokenise",),
        ),
        STAGE_ATTEMPT: AttributeDefinition(
            key=STAGE_ATTEMPT,
            type=AttributeType.INT,
            brief="Which attempt this is, from 1.",
            field="attempt",
            examples=(1,),
        ),
        STAGE_OPTIONS: AttributeDefinition(
            key=STAGE_OPTIONS,
            type=AttributeType.STRING,
            brief="Its options, as far as they are on the list of those allowed.",
            field="options",
            is_json=True,
            examples=('{"lowercase": true}',),
        ),
        STAGE_METRICS_DELTA: AttributeDefinition(
            key=STAGE_METRICS_DELTA,
            type=AttributeType.STRING,
            brief="What it changed of the pipeline's metrics, name by name.",
            field="metrics_delta",
            is_json=True,
            examples=('{"accuracy": 0.02}',),
        ),
        CPU_MODE: AttributeDefinition(
            key=CPU_MODE,
            type=AttributeType.STRING,
            brief="What the CPU did; all but idle where it is not there.",
            field="mode",
            examples=("user", "system"),
        ),
        SYSTEM_MEMORY_STATE: AttributeDefinition(
            key=SYSTEM_MEMORY_STATE,
            type=AttributeType.STRING,
            brief="What the memory was used for.",
            field="state",
            examples=("used", "free"),
        ),
        DISK_IO_DIRECTION: AttributeDefinition(
            key=DISK_IO_DIRECTION,
            type=AttributeType.STRING,
            brief="Read or written.",
            field="direction",
            examples=("read", "write"),
        ),
        NETWORK_IO_DIRECTION: AttributeDefinition(
            key=NETWORK_IO_DIRECTION,
            type=AttributeType.STRING,
            brief="Received or sent.",
            field="direction",
            examples=("receive", "transmit"),
        ),
        HW_ID: AttributeDefinition(
            key=HW_ID,
            type=AttributeType.STRING,
            brief="The component's id; the UUID of a GPU.",
            field="id",
            examples=("GPU-8c4f2e5a-1d3b-4c6d-9e7f-0a1b2c3d4e5f",),
        ),
        HW_NAME: AttributeDefinition(
            key=HW_NAME,
            type=AttributeType.STRING,
            brief="The component's name; a GPU's index on its host.",
            field="name",
            examples=("gpu0",),
        ),
        HW_MODEL: AttributeDefinition(
            key=HW_MODEL,
            type=AttributeType.STRING,
            brief="What it is sold as.",
            field="model",
            examples=("NVIDIA A100-SXM4-80GB",),
        ),
        HW_VENDOR: AttributeDefinition(
            key=HW_VENDOR,
            type=AttributeType.STRING,
            brief="Who made it.",
            field="vendor",
            examples=("NVIDIA",),
        ),
        HW_TYPE: AttributeDefinition(
            key=HW_TYPE,
            type=AttributeType.STRING,
            brief="What kind of component it is.",
            field="type",
            examples=("gpu",),
        ),
        HW_GPU_TASK: AttributeDefinition(
            key=HW_GPU_TASK,
            type=AttributeType.STRING,
            brief="What the GPU did; computing in general where it is not there.",
            field="task",
            examples=("encoder", "decoder", "general"),
        ),
        GPU_INDEX: AttributeDefinition(
            key=GPU_INDEX,
            type=AttributeType.INT,
            brief="The GPU's place among those that the process sees, from 0.",
            field="index",
            examples=(0,),
        ),
        EXPERIMENT_ID: AttributeDefinition(
            key=EXPERIMENT_ID,
            type=AttributeType.STRING,
            brief="The experiment this belongs to.",
            field="experiment_id",
            examples=("lr-sweep",),
            note="At most 256 bytes. The SDK takes the experiment's name where none is given.",
        ),
        EXPERIMENT_NAME: AttributeDefinition(
            key=EXPERIMENT_NAME,
            type=AttributeType.STRING,
            brief="The experiment's name for people.",
            field="experiment_name",
            examples=("Learning-rate sweep",),
        ),
        EXPERIMENT_HYPOTHESIS: AttributeDefinition(
            key=EXPERIMENT_HYPOTHESIS,
            type=AttributeType.STRING,
            brief="What the experiment is to show.",
            field="hypothesis",
            examples=("A higher learning rate reaches 97 % sooner",),
        ),
        EXPERIMENT_TAGS: AttributeDefinition(
            key=EXPERIMENT_TAGS,
            type=AttributeType.STRINGS,
            brief="Free words to find the experiment by.",
            field="tags",
            examples=(("mlp", "digits"),),
        ),
        CONDITION: AttributeDefinition(
            key=CONDITION,
            type=AttributeType.STRING,
            brief="The arm of the experiment, which comparisons are made between.",
            field="condition",
            examples=("lr=1e-3",),
            note="At most 256 bytes.",
        ),
        RUN_ID: AttributeDefinition(
            key=RUN_ID,
            type=AttributeType.STRING,
            brief="One execution of a pipeline or a training.",
            field="run_id",
            examples=("0192f0c1-5d0c-7a9e-b7a4-0c1f6a1b2c3d", "run_1762000000_1a2b3c4d"),
            note="At most 256 bytes, of any form.",
        ),
        RUN_PARENT_ID: AttributeDefinition(
            key=RUN_PARENT_ID,
            type=AttributeType.STRING,
            brief="The run around this one, such as the pipeline that a training is part of.",
            field="parent_run_id",
            examples=("0192f0c1-5d0c-7a9e-b7a4-0c1f6a1b2c3c",),
            note="At most 256 bytes.",
        ),
        CORRELATION_ID: AttributeDefinition(
            key=CORRELATION_ID,
            type=AttributeType.STRING,
            brief="What joins events of several components and processes into one story.",
            field="correlation_id",
            examples=("5b8aa5a2d2c872e8321cf37308d69df2",),
            note="Opaque, at most 128 characters; the trace id in hex where nobody set one. It crosses processes in W3C baggage and in X-Correlation-Id.",
        ),
        EVENT_NAME: AttributeDefinition(
            key=EVENT_NAME,
            type=AttributeType.STRING,
            brief="The event's name, where it is not the one that follows from the span's.",
            field="event_name",
            examples=(CRUCIBLE_TRAIN_CHECKPOINT_SAVED,),
        ),
        EVENT_ID: AttributeDefinition(
            key=EVENT_ID,
            type=AttributeType.STRING,
            brief="An id that the producer gave the event; otherwise the span id identifies it.",
            field="event_id",
            examples=("9f86d081884c7d659a2feaa0c55ad015",),
        ),
        STAGE_NAME: AttributeDefinition(
            key=STAGE_NAME,
            type=AttributeType.STRING,
            brief="The stage of a pipeline in which this happened.",
            field="stage_name",
            aliases=("stage",),
            examples=("tokenise",),
        ),
        STAGE_INDEX: AttributeDefinition(
            key=STAGE_INDEX,
            type=AttributeType.INT,
            brief="The stage's place in its pipeline, from 0.",
            field="stage_index",
            examples=(2,),
        ),
        LOOP_NAME: AttributeDefinition(
            key=LOOP_NAME,
            type=AttributeType.STRING,
            brief="The loop whose iteration this stage is part of; the innermost of several.",
            field="loop_name",
            examples=("folds",),
        ),
        LOOP_INDEX: AttributeDefinition(
            key=LOOP_INDEX,
            type=AttributeType.INT,
            brief="The iteration of that loop, from 0.",
            field="loop_index",
            examples=(4,),
        ),
        STEP: AttributeDefinition(
            key=STEP,
            type=AttributeType.INT,
            brief="The optimiser's step, counted from 0 through the whole run; the x axis of curves.",
            field="step",
            aliases=("global_step",),
            examples=(1200,),
        ),
        EPOCH: AttributeDefinition(
            key=EPOCH,
            type=AttributeType.INT,
            brief="The pass over the data, from 0.",
            field="epoch",
            examples=(3,),
        ),
        RANK: AttributeDefinition(
            key=RANK,
            type=AttributeType.INT,
            brief="Which process of a distributed run, from 0.",
            field="rank",
            examples=(0,),
        ),
        WORK_ID: AttributeDefinition(
            key=WORK_ID,
            type=AttributeType.STRING,
            brief="The unit of work that a scheduler handed out.",
            field="work_id",
            examples=("4f9c2f6e-40a1-4c2a-9a57-0f3d6f1f5b11",),
        ),
        PLAN_ID: AttributeDefinition(
            key=PLAN_ID,
            type=AttributeType.STRING,
            brief="The plan that the work is part of.",
            field="plan_id",
            examples=("a2b0a0f4-6f1c-4f7e-8f0a-5d1a3f9f2c77",),
        ),
        PLAN_STEP_ID: AttributeDefinition(
            key=PLAN_STEP_ID,
            type=AttributeType.STRING,
            brief="The step of the plan. Not a training step.",
            field="step_id",
            examples=("d1c7c6f8-8a52-4a57-8f3e-9a0b1c2d3e4f",),
        ),
        SESSION_ID: AttributeDefinition(
            key=SESSION_ID,
            type=AttributeType.STRING,
            brief="The session of a user or a service.",
            field="session_id",
            examples=("session-17",),
        ),
        DEPLOYMENT_ID: AttributeDefinition(
            key=DEPLOYMENT_ID,
            type=AttributeType.STRING,
            brief="The deployed model instance.",
            field="deployment_id",
            examples=("6a1f0a52-7d0b-4a75-8f55-0b6a8b5f0f10",),
        ),
        TENANT_ID: AttributeDefinition(
            key=TENANT_ID,
            type=AttributeType.STRING,
            brief="Whose data this is, where several tenants share a system.",
            field="tenant_id",
            examples=("team-vision",),
        ),
        SERVICE_NAME: AttributeDefinition(
            key=SERVICE_NAME,
            type=AttributeType.STRING,
            brief="The service that sent this.",
            field="source.service",
            location=Location.RESOURCE,
            examples=("trainer",),
        ),
        SERVICE_VERSION: AttributeDefinition(
            key=SERVICE_VERSION,
            type=AttributeType.STRING,
            brief="The service's version.",
            field="source.version",
            location=Location.RESOURCE,
            examples=("1.4.0",),
        ),
        HOST_NAME: AttributeDefinition(
            key=HOST_NAME,
            type=AttributeType.STRING,
            brief="The host's name.",
            field="source.host",
            location=Location.RESOURCE,
            examples=("gpu-07",),
        ),
        PROCESS_PID: AttributeDefinition(
            key=PROCESS_PID,
            type=AttributeType.INT,
            brief="The process id.",
            field="source.pid",
            location=Location.RESOURCE,
            examples=(4711,),
        ),
        EXCEPTION_TYPE: AttributeDefinition(
            key=EXCEPTION_TYPE,
            type=AttributeType.STRING,
            brief="The exception's class.",
            field=EXCEPTION_TYPE,
            location=Location.EXCEPTION,
            examples=("builtins.ValueError",),
        ),
        EXCEPTION_MESSAGE: AttributeDefinition(
            key=EXCEPTION_MESSAGE,
            type=AttributeType.STRING,
            brief="The exception's message.",
            field=EXCEPTION_MESSAGE,
            location=Location.EXCEPTION,
            examples=("loss is NaN",),
        ),
        EXCEPTION_STACKTRACE: AttributeDefinition(
            key=EXCEPTION_STACKTRACE,
            type=AttributeType.STRING,
            brief="The stack trace as text.",
            field="stacktrace",
            location=Location.EXCEPTION,
            examples=("Traceback (most recent call last): …",),
        ),
        HTTP_RESPONSE_STATUS_CODE: AttributeDefinition(
            key=HTTP_RESPONSE_STATUS_CODE,
            type=AttributeType.INT,
            brief="The status code of the answer.",
            field="http_status",
            examples=(503,),
        ),
        GEN_AI_OPERATION_NAME: AttributeDefinition(
            key=GEN_AI_OPERATION_NAME,
            type=AttributeType.STRING,
            brief="What was asked for.",
            field="operation",
            examples=("chat", "text_completion", "embeddings"),
        ),
        GEN_AI_PROVIDER_NAME: AttributeDefinition(
            key=GEN_AI_PROVIDER_NAME,
            type=AttributeType.STRING,
            brief="Whose interface was called.",
            field="provider",
            examples=("openai", "anthropic"),
        ),
        GEN_AI_REQUEST_MODEL: AttributeDefinition(
            key=GEN_AI_REQUEST_MODEL,
            type=AttributeType.STRING,
            brief="The model that was asked for.",
            field="request_model",
            examples=("gpt-4o",),
        ),
        GEN_AI_RESPONSE_MODEL: AttributeDefinition(
            key=GEN_AI_RESPONSE_MODEL,
            type=AttributeType.STRING,
            brief="The model that answered.",
            field="response_model",
            examples=("gpt-4o-2024-08-06",),
        ),
        GEN_AI_RESPONSE_ID: AttributeDefinition(
            key=GEN_AI_RESPONSE_ID,
            type=AttributeType.STRING,
            brief="The id of the answer.",
            field="response_id",
            examples=("chatcmpl-123",),
        ),
        GEN_AI_RESPONSE_FINISH_REASONS: AttributeDefinition(
            key=GEN_AI_RESPONSE_FINISH_REASONS,
            type=AttributeType.STRINGS,
            brief="Why the model stopped, one reason a choice.",
            field="finish_reason",
            aliases=("finish_reasons",),
            examples=(("stop",), ("stop", "length")),
        ),
        GEN_AI_REQUEST_MAX_TOKENS: AttributeDefinition(
            key=GEN_AI_REQUEST_MAX_TOKENS,
            type=AttributeType.INT,
            brief="The most tokens that the answer may have.",
            field="max_tokens",
            examples=(1024,),
        ),
        GEN_AI_REQUEST_TEMPERATURE: AttributeDefinition(
            key=GEN_AI_REQUEST_TEMPERATURE,
            type=AttributeType.DOUBLE,
            brief="The temperature that was asked for.",
            field="temperature",
            examples=(0.7,),
        ),
        GEN_AI_REQUEST_TOP_P: AttributeDefinition(
            key=GEN_AI_REQUEST_TOP_P,
            type=AttributeType.DOUBLE,
            brief="The probability mass that was sampled from.",
            field="top_p",
            examples=(0.95,),
        ),
        GEN_AI_INPUT_MESSAGES: AttributeDefinition(
            key=GEN_AI_INPUT_MESSAGES,
            type=AttributeType.STRING,
            brief="What was sent to the model.",
            field="input_messages",
            is_json=True,
            examples=('[{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}]',),
            note="Content; sent only where the user asks for it.",
        ),
        GEN_AI_OUTPUT_MESSAGES: AttributeDefinition(
            key=GEN_AI_OUTPUT_MESSAGES,
            type=AttributeType.STRING,
            brief="What the model answered.",
            field="output_messages",
            is_json=True,
            examples=(
                '[{"role": "assistant", "parts": [{"type": "text", "content": "Hello!"}], "finish_reason": "stop"}]',
            ),
            note="Content; sent only where the user asks for it.",
        ),
        USER_ID: AttributeDefinition(
            key=USER_ID,
            type=AttributeType.STRING,
            brief="Who it was, in plain.",
            field="user_id",
            examples=("ada",),
            note="Personal; sent only where the user asks for it.",
        ),
        STATUS: AttributeDefinition(
            key=STATUS,
            type=AttributeType.STRING,
            brief="The outcome of what the event tells of.",
            field="status",
            values=(
                "pending",
                "running",
                "completed",
                "failed",
                "cancelled",
                "early_stopped",
                "stalled",
                "ok",
                "error",
                "skipped",
                "healthy",
                "unhealthy",
                "degraded",
                "unknown",
            ),
        ),
        RUN_STATUS: AttributeDefinition(
            key=RUN_STATUS,
            type=AttributeType.STRING,
            brief="The state of a run.",
            field="run_status",
            values=(
                "pending",
                "running",
                "completed",
                "failed",
                "cancelled",
                "early_stopped",
                "stalled",
            ),
        ),
        EXPERIMENT_STATUS: AttributeDefinition(
            key=EXPERIMENT_STATUS,
            type=AttributeType.STRING,
            brief="The state of an experiment.",
            field="experiment_status",
            values=("running", "paused", "stopped", "archived"),
        ),
        ANOMALY_STATUS: AttributeDefinition(
            key=ANOMALY_STATUS,
            type=AttributeType.STRING,
            brief="The state of an anomaly period.",
            field="anomaly_status",
            values=("active", "acknowledged", "resolved", "silenced"),
        ),
        ANOMALY_SEVERITY: AttributeDefinition(
            key=ANOMALY_SEVERITY,
            type=AttributeType.STRING,
            brief="How much an anomaly asks for attention.",
            field="anomaly_severity",
            values=("info", "warning", "critical"),
        ),
        ERROR_KIND: AttributeDefinition(
            key=ERROR_KIND,
            type=AttributeType.STRING,
            brief="The class of the exception, or the BEAM's error, exit or throw.",
            field="kind",
            examples=("ValueError", "throw"),
        ),
        ERROR_REASON: AttributeDefinition(
            key=ERROR_REASON,
            type=AttributeType.STRING,
            brief="The message, in one line.",
            field="reason",
            examples=("loss is NaN",),
        ),
        MODEL_NAME: AttributeDefinition(
            key=MODEL_NAME,
            type=AttributeType.STRING,
            brief="The model's name.",
            field="model_name",
            aliases=("model",),
            examples=("mlp", "llama-3-8b"),
        ),
        MODEL_VERSION: AttributeDefinition(
            key=MODEL_VERSION,
            type=AttributeType.STRING,
            brief="The model's version.",
            field="model_version",
            examples=("3", "2026-11-01"),
        ),
        DATASET_NAME: AttributeDefinition(
            key=DATASET_NAME,
            type=AttributeType.STRING,
            brief="The data set's name.",
            field="dataset_name",
            aliases=("dataset",),
            examples=("digits",),
        ),
        DATASET_SPLIT: AttributeDefinition(
            key=DATASET_SPLIT,
            type=AttributeType.STRING,
            brief="The part of it that is used.",
            field="split",
            examples=("train",),
        ),
        TRAINING_CONFIG: AttributeDefinition(
            key=TRAINING_CONFIG,
            type=AttributeType.STRING,
            brief="The whole configuration.",
            field="config",
            is_json=True,
            examples=('{"hidden": 64}',),
        ),
        TRAINING_CONFIG_ID: AttributeDefinition(
            key=TRAINING_CONFIG_ID,
            type=AttributeType.STRING,
            brief="The id of a stored configuration.",
            field="training_config_id",
            examples=("cfg-12",),
        ),
        TRAINING_ALGORITHM: AttributeDefinition(
            key=TRAINING_ALGORITHM,
            type=AttributeType.STRING,
            brief="How the model learns.",
            field="algorithm",
            values=("supervised", "dpo", "rl", "distillation"),
        ),
        TRAINING_EPOCHS: AttributeDefinition(
            key=TRAINING_EPOCHS,
            type=AttributeType.INT,
            brief="Epochs planned.",
            field="epochs",
            aliases=("total_epochs", "num_epochs"),
            examples=(10,),
        ),
        TRAINING_TOTAL_STEPS: AttributeDefinition(
            key=TRAINING_TOTAL_STEPS,
            type=AttributeType.INT,
            brief="Steps planned.",
            field="total_steps",
            examples=(5000,),
        ),
        TRAINING_BATCH_SIZE: AttributeDefinition(
            key=TRAINING_BATCH_SIZE,
            type=AttributeType.INT,
            brief="Samples a batch, as configured.",
            field="batch_size",
            examples=(32,),
        ),
        TRAINING_LEARNING_RATE: AttributeDefinition(
            key=TRAINING_LEARNING_RATE,
            type=AttributeType.DOUBLE,
            brief="The learning rate that was configured.",
            field="learning_rate",
            aliases=("lr",),
            examples=(0.001,),
            note="The one in force is the measurement of the same name.",
        ),
        TRAINING_LR_SCHEDULE: AttributeDefinition(
            key=TRAINING_LR_SCHEDULE,
            type=AttributeType.STRING,
            brief="How the learning rate changes.",
            field="lr_schedule",
            examples=("linear", "cosine"),
        ),
        TRAINING_OPTIMIZER: AttributeDefinition(
            key=TRAINING_OPTIMIZER,
            type=AttributeType.STRING,
            brief="The optimiser.",
            field="optimizer",
            examples=("adam", "sgd", "adamw", "rmsprop"),
        ),
        TRAINING_LOSS_FUNCTION: AttributeDefinition(
            key=TRAINING_LOSS_FUNCTION,
            type=AttributeType.STRING,
            brief="The loss.",
            field="loss_function",
            examples=("cross_entropy", "mse", "mae", "bce"),
        ),
        TRAINING_SEED: AttributeDefinition(
            key=TRAINING_SEED,
            type=AttributeType.INT,
            brief="The seed of its random numbers.",
            field="seed",
            examples=(42,),
        ),
        TRAINING_DEVICE: AttributeDefinition(
            key=TRAINING_DEVICE,
            type=AttributeType.STRING,
            brief="Where it computes.",
            field="device",
            examples=("cpu", "cuda:0", "mps", "tpu"),
        ),
        TRAINING_MIXED_PRECISION: AttributeDefinition(
            key=TRAINING_MIXED_PRECISION,
            type=AttributeType.BOOLEAN,
            brief="Whether it computes in reduced precision where that is safe.",
            field="mixed_precision",
        ),
        TRAINING_GRADIENT_CLIPPING: AttributeDefinition(
            key=TRAINING_GRADIENT_CLIPPING,
            type=AttributeType.DOUBLE,
            brief="The norm that gradients are clipped to.",
            field="gradient_clipping",
            examples=(1.0,),
        ),
        TRAINING_EARLY_STOPPING: AttributeDefinition(
            key=TRAINING_EARLY_STOPPING,
            type=AttributeType.STRING,
            brief="When it would stop early.",
            field="early_stopping",
            is_json=True,
            examples=('{"monitor": "val_loss", "patience": 3}',),
        ),
        TRAINING_CHECKPOINT_EVERY: AttributeDefinition(
            key=TRAINING_CHECKPOINT_EVERY,
            type=AttributeType.INT,
            brief="Steps from one checkpoint to the next.",
            field="checkpoint_every",
            examples=(500,),
        ),
        TRAINING_METRICS: AttributeDefinition(
            key=TRAINING_METRICS,
            type=AttributeType.STRINGS,
            brief="Names of the numbers it will report.",
            field="metrics",
            examples=(("loss", "accuracy"),),
        ),
        TRAINING_BEST_METRICS: AttributeDefinition(
            key=TRAINING_BEST_METRICS,
            type=AttributeType.STRING,
            brief="The best value of each number.",
            field="best_metrics",
            is_json=True,
            examples=('{"val_accuracy": 0.97}',),
        ),
        TRAINING_BEST_EPOCH: AttributeDefinition(
            key=TRAINING_BEST_EPOCH,
            type=AttributeType.INT,
            brief="The epoch that reached them.",
            field="best_epoch",
            examples=(7,),
        ),
        TRAINING_PATIENCE: AttributeDefinition(
            key=TRAINING_PATIENCE,
            type=AttributeType.INT,
            brief="Epochs without improvement that were waited for.",
            field="patience",
            examples=(3,),
        ),
        TRAINING_FINAL_MODEL_VERSION: AttributeDefinition(
            key=TRAINING_FINAL_MODEL_VERSION,
            type=AttributeType.STRING,
            brief="The version under which the result was registered.",
            field="final_model_version",
            examples=("4",),
        ),
        TRAINING_CHECKPOINT_URIS: AttributeDefinition(
            key=TRAINING_CHECKPOINT_URIS,
            type=AttributeType.STRINGS,
            brief="Where its checkpoints lie.",
            field="checkpoint_uris",
            examples=(("file:///models/mlp/7.pt",),),
        ),
        BATCH_INDEX: AttributeDefinition(
            key=BATCH_INDEX,
            type=AttributeType.INT,
            brief="The batch's place in its epoch, from 0.",
            field="batch",
            examples=(17,),
        ),
        BATCH_SIZE: AttributeDefinition(
            key=BATCH_SIZE,
            type=AttributeType.INT,
            brief="Samples in this batch.",
            field="batch_size",
            examples=(32,),
        ),
        CHECKPOINT_PATH: AttributeDefinition(
            key=CHECKPOINT_PATH,
            type=AttributeType.STRING,
            brief="Where it lies.",
            field="checkpoint_path",
            aliases=("path",),
            examples=("checkpoints/mlp-7.pt",),
        ),
        CHECKPOINT_NAME: AttributeDefinition(
            key=CHECKPOINT_NAME,
            type=AttributeType.STRING,
            brief="Its name.",
            field="checkpoint_name",
            examples=("mlp-7",),
        ),
        CHECKPOINT_KIND: AttributeDefinition(
            key=CHECKPOINT_KIND,
            type=AttributeType.STRING,
            brief="What can be done with it.",
            field="kind",
            values=("state", "sampler"),
        ),
    },
)
"""Attributes that are not measurements, by key."""

MEASUREMENTS: Final[Mapping[str, MeasurementDefinition]] = MappingProxyType(
    {
        "active_duration": MeasurementDefinition(
            key=MEASUREMENT_ACTIVE_DURATION,
            name="active_duration",
            type=AttributeType.INT,
            unit="ns",
            instrument=Instrument.GAUGE,
            brief="Time it was not paused.",
        ),
        "paused_duration": MeasurementDefinition(
            key=MEASUREMENT_PAUSED_DURATION,
            name="paused_duration",
            type=AttributeType.INT,
            unit="ns",
            instrument=Instrument.GAUGE,
            brief="Time it was paused.",
        ),
        "pause_count": MeasurementDefinition(
            key=MEASUREMENT_PAUSE_COUNT,
            name="pause_count",
            type=AttributeType.INT,
            unit="{pause}",
            instrument=Instrument.GAUGE,
            brief="How often it was paused.",
        ),
        "rating": MeasurementDefinition(
            key=MEASUREMENT_RATING,
            name="rating",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The rating: 0 or 1 for thumbs, else as the service scales it.",
            lower_is_better=False,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "latency_ms": MeasurementDefinition(
            key=MEASUREMENT_LATENCY_MS,
            name="latency_ms",
            type=AttributeType.DOUBLE,
            unit="ms",
            instrument=Instrument.GAUGE,
            brief="How long the answer that it is about took.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG),
        ),
        "loss": MeasurementDefinition(
            key=MEASUREMENT_LOSS,
            name="loss",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The training loss.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.TREND, scale=WatchScale.LOG),
            aliases=("epoch_loss", "mean_loss", "avg_loss"),
        ),
        "accuracy": MeasurementDefinition(
            key=MEASUREMENT_ACCURACY,
            name="accuracy",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The share of right answers on training data, 0 to 1.",
            lower_is_better=False,
            watch=Watch(watch_class=WatchClass.TREND, scale=WatchScale.LINEAR),
        ),
        "val_loss": MeasurementDefinition(
            key=MEASUREMENT_VAL_LOSS,
            name="val_loss",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The loss on held-out data.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.TREND, scale=WatchScale.LOG),
        ),
        "val_accuracy": MeasurementDefinition(
            key=MEASUREMENT_VAL_ACCURACY,
            name="val_accuracy",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The share of right answers on held-out data, 0 to 1.",
            lower_is_better=False,
            watch=Watch(watch_class=WatchClass.TREND, scale=WatchScale.LINEAR),
        ),
        "gradient_norm": MeasurementDefinition(
            key=MEASUREMENT_GRADIENT_NORM,
            name="gradient_norm",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The norm of the gradient over all parameters, before clipping.",
            watch=Watch(watch_class=WatchClass.TREND, scale=WatchScale.LOG),
            aliases=("grad_norm",),
        ),
        "learning_rate": MeasurementDefinition(
            key=MEASUREMENT_LEARNING_RATE,
            name="learning_rate",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The learning rate in force.",
            watch=Watch(watch_class=WatchClass.LEARNING_RATE, scale=WatchScale.LOG),
            aliases=("lr",),
            note="The packages put it into metadata; it is a measurement here, so that it has a curve.",
        ),
        "tokens": MeasurementDefinition(
            key=MEASUREMENT_TOKENS,
            name="tokens",
            type=AttributeType.INT,
            unit="{token}",
            instrument=Instrument.COUNTER,
            brief="Tokens worked through.",
        ),
        "samples": MeasurementDefinition(
            key=MEASUREMENT_SAMPLES,
            name="samples",
            type=AttributeType.INT,
            unit="{sample}",
            instrument=Instrument.COUNTER,
            brief="Samples worked through.",
        ),
        "steps": MeasurementDefinition(
            key=MEASUREMENT_STEPS,
            name="steps",
            type=AttributeType.INT,
            unit="{step}",
            instrument=Instrument.COUNTER,
            brief="Steps of an epoch.",
        ),
        "total_steps": MeasurementDefinition(
            key=MEASUREMENT_TOTAL_STEPS,
            name="total_steps",
            type=AttributeType.INT,
            unit="{step}",
            instrument=Instrument.GAUGE,
            brief="Steps of the whole training: planned at its start, done at its stop.",
        ),
        "total_epochs": MeasurementDefinition(
            key=MEASUREMENT_TOTAL_EPOCHS,
            name="total_epochs",
            type=AttributeType.INT,
            unit="{epoch}",
            instrument=Instrument.GAUGE,
            brief="Epochs done.",
        ),
        "dataset_size": MeasurementDefinition(
            key=MEASUREMENT_DATASET_SIZE,
            name="dataset_size",
            type=AttributeType.INT,
            unit="{sample}",
            instrument=Instrument.GAUGE,
            brief="Samples in the training data.",
        ),
        "final_loss": MeasurementDefinition(
            key=MEASUREMENT_FINAL_LOSS,
            name="final_loss",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The loss at the end.",
            lower_is_better=True,
            note="Accepted in metadata too.",
        ),
        "final_accuracy": MeasurementDefinition(
            key=MEASUREMENT_FINAL_ACCURACY,
            name="final_accuracy",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The accuracy at the end, 0 to 1.",
            lower_is_better=False,
            note="Accepted in metadata too.",
        ),
        "reward_mean": MeasurementDefinition(
            key=MEASUREMENT_REWARD_MEAN,
            name="reward_mean",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Mean reward of a batch.",
            lower_is_better=False,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "reward_std": MeasurementDefinition(
            key=MEASUREMENT_REWARD_STD,
            name="reward_std",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Standard deviation of the reward in a batch.",
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "kl_divergence": MeasurementDefinition(
            key=MEASUREMENT_KL_DIVERGENCE,
            name="kl_divergence",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Divergence of the policy from its reference.",
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "entropy": MeasurementDefinition(
            key=MEASUREMENT_ENTROPY,
            name="entropy",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Entropy of the policy.",
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "policy_loss": MeasurementDefinition(
            key=MEASUREMENT_POLICY_LOSS,
            name="policy_loss",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Loss of the policy; may be negative.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "value_loss": MeasurementDefinition(
            key=MEASUREMENT_VALUE_LOSS,
            name="value_loss",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Loss of the value function.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.TREND, scale=WatchScale.LOG),
        ),
        "margin": MeasurementDefinition(
            key=MEASUREMENT_MARGIN,
            name="margin",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Chosen reward less rejected reward.",
            lower_is_better=False,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "chosen_reward": MeasurementDefinition(
            key=MEASUREMENT_CHOSEN_REWARD,
            name="chosen_reward",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Implicit reward of the preferred answers.",
            lower_is_better=False,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "rejected_reward": MeasurementDefinition(
            key=MEASUREMENT_REJECTED_REWARD,
            name="rejected_reward",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Implicit reward of the rejected answers.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "model_size_bytes": MeasurementDefinition(
            key=MEASUREMENT_MODEL_SIZE_BYTES,
            name="model_size_bytes",
            type=AttributeType.INT,
            unit="By",
            instrument=Instrument.GAUGE,
            brief="Size of what was saved.",
            aliases=("size_bytes",),
        ),
        "input_size": MeasurementDefinition(
            key=MEASUREMENT_INPUT_SIZE,
            name="input_size",
            type=AttributeType.INT,
            unit="By",
            instrument=Instrument.GAUGE,
            brief="Size of the input in bytes; tokens have a field of their own.",
        ),
        "output_size": MeasurementDefinition(
            key=MEASUREMENT_OUTPUT_SIZE,
            name="output_size",
            type=AttributeType.INT,
            unit="By",
            instrument=Instrument.GAUGE,
            brief="Size of the output in bytes; tokens have a field of their own.",
        ),
        "time_to_first_token_ms": MeasurementDefinition(
            key=MEASUREMENT_TIME_TO_FIRST_TOKEN_MS,
            name="time_to_first_token_ms",
            type=AttributeType.DOUBLE,
            unit="ms",
            instrument=Instrument.GAUGE,
            brief="From the request to the first token of the answer.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG),
        ),
        "time_per_output_token_ms": MeasurementDefinition(
            key=MEASUREMENT_TIME_PER_OUTPUT_TOKEN_MS,
            name="time_per_output_token_ms",
            type=AttributeType.DOUBLE,
            unit="ms",
            instrument=Instrument.GAUGE,
            brief="From one token of the answer to the next, on average after the first.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG),
        ),
        "tokens_per_second": MeasurementDefinition(
            key=MEASUREMENT_TOKENS_PER_SECOND,
            name="tokens_per_second",
            type=AttributeType.DOUBLE,
            unit="{token}/s",
            instrument=Instrument.GAUGE,
            brief="Tokens of the answer over the time the call took.",
            lower_is_better=False,
            watch=Watch(watch_class=WatchClass.THROUGHPUT, scale=WatchScale.LOG),
        ),
        "cost_usd": MeasurementDefinition(
            key=MEASUREMENT_COST_USD,
            name="cost_usd",
            type=AttributeType.DOUBLE,
            unit="{USD}",
            instrument=Instrument.COUNTER,
            brief="What the call cost.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG),
            aliases=("cost", "total_cost"),
        ),
        "latency_p50": MeasurementDefinition(
            key=MEASUREMENT_LATENCY_P50,
            name="latency_p50",
            type=AttributeType.DOUBLE,
            unit="ms",
            instrument=Instrument.GAUGE,
            brief="Median latency of the requests checked.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG),
        ),
        "latency_p99": MeasurementDefinition(
            key=MEASUREMENT_LATENCY_P99,
            name="latency_p99",
            type=AttributeType.DOUBLE,
            unit="ms",
            instrument=Instrument.GAUGE,
            brief="99th percentile of their latency.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG),
        ),
        "error_rate": MeasurementDefinition(
            key=MEASUREMENT_ERROR_RATE,
            name="error_rate",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The share of requests that failed, 0 to 1.",
            lower_is_better=True,
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "requests_per_second": MeasurementDefinition(
            key=MEASUREMENT_REQUESTS_PER_SECOND,
            name="requests_per_second",
            type=AttributeType.DOUBLE,
            unit="{request}/s",
            instrument=Instrument.GAUGE,
            brief="Requests served.",
            lower_is_better=False,
            watch=Watch(watch_class=WatchClass.THROUGHPUT, scale=WatchScale.LOG),
        ),
        "stage_count": MeasurementDefinition(
            key=MEASUREMENT_STAGE_COUNT,
            name="stage_count",
            type=AttributeType.INT,
            unit="{stage}",
            instrument=Instrument.GAUGE,
            brief="Stages that the pipeline has.",
        ),
        "stages_completed": MeasurementDefinition(
            key=MEASUREMENT_STAGES_COMPLETED,
            name="stages_completed",
            type=AttributeType.INT,
            unit="{stage}",
            instrument=Instrument.GAUGE,
            brief="Stages that came to their end.",
        ),
        "num_samples": MeasurementDefinition(
            key=MEASUREMENT_NUM_SAMPLES,
            name="num_samples",
            type=AttributeType.INT,
            unit="{sample}",
            instrument=Instrument.GAUGE,
            brief="Perturbed samples that the explanation was fitted to.",
        ),
        "num_features": MeasurementDefinition(
            key=MEASUREMENT_NUM_FEATURES,
            name="num_features",
            type=AttributeType.INT,
            unit="{feature}",
            instrument=Instrument.GAUGE,
            brief="Features that were attributed to.",
        ),
        "n_instances": MeasurementDefinition(
            key=MEASUREMENT_N_INSTANCES,
            name="n_instances",
            type=AttributeType.INT,
            unit="{instance}",
            instrument=Instrument.GAUGE,
            brief="Instances that were explained.",
        ),
        "score": MeasurementDefinition(
            key=MEASUREMENT_SCORE,
            name="score",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="How well the local model fits.",
            lower_is_better=False,
        ),
        "faithfulness": MeasurementDefinition(
            key=MEASUREMENT_FAITHFULNESS,
            name="faithfulness",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Agreement of attributions with the effect of removing features.",
            lower_is_better=False,
        ),
        "infidelity": MeasurementDefinition(
            key=MEASUREMENT_INFIDELITY,
            name="infidelity",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Squared error of attributions under perturbation.",
            lower_is_better=True,
        ),
        "sensitivity": MeasurementDefinition(
            key=MEASUREMENT_SENSITIVITY,
            name="sensitivity",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Largest change of the attributions under small changes of the input.",
            lower_is_better=True,
        ),
        "success": MeasurementDefinition(
            key=MEASUREMENT_SUCCESS,
            name="success",
            type=AttributeType.INT,
            unit="{attack}",
            instrument=Instrument.COUNTER,
            brief="1 where the attack changed the answer, else 0.",
        ),
        "input_length": MeasurementDefinition(
            key=MEASUREMENT_INPUT_LENGTH,
            name="input_length",
            type=AttributeType.INT,
            unit="{character}",
            instrument=Instrument.GAUGE,
            brief="Length of the original input.",
        ),
        "output_length": MeasurementDefinition(
            key=MEASUREMENT_OUTPUT_LENGTH,
            name="output_length",
            type=AttributeType.INT,
            unit="{character}",
            instrument=Instrument.GAUGE,
            brief="Length of the attacked input.",
        ),
        "perturbation_rate": MeasurementDefinition(
            key=MEASUREMENT_PERTURBATION_RATE,
            name="perturbation_rate",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The share of the input that was changed, 0 to 1.",
        ),
        "original_accuracy": MeasurementDefinition(
            key=MEASUREMENT_ORIGINAL_ACCURACY,
            name="original_accuracy",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Accuracy without an attack, 0 to 1.",
            lower_is_better=False,
        ),
        "attacked_accuracy": MeasurementDefinition(
            key=MEASUREMENT_ATTACKED_ACCURACY,
            name="attacked_accuracy",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Accuracy under attack, 0 to 1.",
            lower_is_better=False,
        ),
        "absolute_drop": MeasurementDefinition(
            key=MEASUREMENT_ABSOLUTE_DROP,
            name="absolute_drop",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Original less attacked accuracy.",
            lower_is_better=True,
        ),
        "relative_drop": MeasurementDefinition(
            key=MEASUREMENT_RELATIVE_DROP,
            name="relative_drop",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The drop as a share of the original accuracy.",
            lower_is_better=True,
        ),
        "overall_asr": MeasurementDefinition(
            key=MEASUREMENT_OVERALL_ASR,
            name="overall_asr",
            type=AttributeType.DOUBLE,
            unit="1",
            instrument=Instrument.GAUGE,
            brief="The share of attacks that succeeded, 0 to 1.",
            lower_is_better=True,
        ),
        "test_set_size": MeasurementDefinition(
            key=MEASUREMENT_TEST_SET_SIZE,
            name="test_set_size",
            type=AttributeType.INT,
            unit="{sample}",
            instrument=Instrument.GAUGE,
            brief="Samples the evaluation used.",
        ),
        "count": MeasurementDefinition(
            key=MEASUREMENT_COUNT,
            name="count",
            type=AttributeType.INT,
            unit="1",
            instrument=Instrument.COUNTER,
            brief="How many; 1 where the event itself is what is counted.",
        ),
        "input_tokens": MeasurementDefinition(
            key=GEN_AI_USAGE_INPUT_TOKENS,
            name="input_tokens",
            type=AttributeType.INT,
            unit="{token}",
            instrument=Instrument.COUNTER,
            brief="Tokens of the prompt.",
            aliases=("tokens.prompt",),
        ),
        "output_tokens": MeasurementDefinition(
            key=GEN_AI_USAGE_OUTPUT_TOKENS,
            name="output_tokens",
            type=AttributeType.INT,
            unit="{token}",
            instrument=Instrument.COUNTER,
            brief="Tokens of the answer.",
            aliases=("tokens.completion",),
        ),
        "cached_tokens": MeasurementDefinition(
            key=GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
            name="cached_tokens",
            type=AttributeType.INT,
            unit="{token}",
            instrument=Instrument.COUNTER,
            brief="Tokens of the prompt that came from the provider's cache; part of the input tokens.",
            aliases=("cached_input_tokens",),
        ),
        "cache_creation_tokens": MeasurementDefinition(
            key=GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS,
            name="cache_creation_tokens",
            type=AttributeType.INT,
            unit="{token}",
            instrument=Instrument.COUNTER,
            brief="Tokens of the prompt that went into the provider's cache; part of the input tokens.",
        ),
        "reasoning_tokens": MeasurementDefinition(
            key=GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
            name="reasoning_tokens",
            type=AttributeType.INT,
            unit="{token}",
            instrument=Instrument.COUNTER,
            brief="Tokens spent on reasoning; part of the output tokens.",
        ),
    },
)
"""Measurements, by name."""

IDENTITY: Final = (
    AttributeUse(
        ATTRIBUTES[EXPERIMENT_ID],
        Requirement.CONDITIONALLY_REQUIRED,
        condition="Inside an experiment.",
    ),
    AttributeUse(
        ATTRIBUTES[EXPERIMENT_NAME],
        Requirement.CONDITIONALLY_REQUIRED,
        condition="Inside an experiment.",
    ),
    AttributeUse(ATTRIBUTES[EXPERIMENT_HYPOTHESIS]),
    AttributeUse(ATTRIBUTES[EXPERIMENT_TAGS]),
    AttributeUse(
        ATTRIBUTES[CONDITION],
        Requirement.CONDITIONALLY_REQUIRED,
        condition="In an experiment with several conditions.",
    ),
    AttributeUse(ATTRIBUTES[RUN_ID], Requirement.CONDITIONALLY_REQUIRED, condition="Inside a run."),
    AttributeUse(
        ATTRIBUTES[RUN_PARENT_ID],
        Requirement.CONDITIONALLY_REQUIRED,
        condition="Inside a run that is inside another.",
    ),
    AttributeUse(ATTRIBUTES[CORRELATION_ID]),
    AttributeUse(ATTRIBUTES[EVENT_NAME]),
    AttributeUse(ATTRIBUTES[EVENT_ID], Requirement.OPT_IN),
    AttributeUse(
        ATTRIBUTES[STAGE_NAME],
        Requirement.CONDITIONALLY_REQUIRED,
        condition="Inside a stage.",
    ),
    AttributeUse(
        ATTRIBUTES[STAGE_INDEX],
        Requirement.CONDITIONALLY_REQUIRED,
        condition="Inside a stage.",
    ),
    AttributeUse(
        ATTRIBUTES[LOOP_NAME],
        Requirement.CONDITIONALLY_REQUIRED,
        condition="Inside a loop of a pipeline.",
    ),
    AttributeUse(
        ATTRIBUTES[LOOP_INDEX],
        Requirement.CONDITIONALLY_REQUIRED,
        condition="Inside a loop of a pipeline.",
    ),
    AttributeUse(
        ATTRIBUTES[STEP],
        Requirement.CONDITIONALLY_REQUIRED,
        condition="Inside a training step.",
    ),
    AttributeUse(
        ATTRIBUTES[EPOCH],
        Requirement.CONDITIONALLY_REQUIRED,
        condition="Inside an epoch.",
    ),
    AttributeUse(
        ATTRIBUTES[RANK],
        Requirement.CONDITIONALLY_REQUIRED,
        condition="In a run of several processes.",
    ),
    AttributeUse(ATTRIBUTES[WORK_ID]),
    AttributeUse(ATTRIBUTES[PLAN_ID]),
    AttributeUse(ATTRIBUTES[PLAN_STEP_ID]),
    AttributeUse(ATTRIBUTES[SESSION_ID]),
    AttributeUse(ATTRIBUTES[DEPLOYMENT_ID]),
    AttributeUse(ATTRIBUTES[TENANT_ID]),
    AttributeUse(ATTRIBUTES[SERVICE_NAME], Requirement.REQUIRED),
    AttributeUse(ATTRIBUTES[SERVICE_VERSION]),
    AttributeUse(ATTRIBUTES[HOST_NAME]),
    AttributeUse(ATTRIBUTES[PROCESS_PID]),
)
"""What every event may carry."""

EVENTS: Final[Mapping[str, EventDefinition]] = MappingProxyType(
    {
        CRUCIBLE_ADVERSARY_ATTACK_EXECUTED: EventDefinition(
            name=CRUCIBLE_ADVERSARY_ATTACK_EXECUTED,
            brief="A model was attacked once.",
            producer="crucible_adversary",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_ADVERSARY_ATTACK_EXECUTED,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[ATTACK_TYPE], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[ATTACK_SUCCESS], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[MODEL_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the model has a name.",
                ),
                AttributeUse(
                    ATTRIBUTES[ATTACK_SEED],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it drew random numbers.",
                ),
                AttributeUse(ATTRIBUTES[ATTACK_DEFENSE_DETECTED]),
                AttributeUse(ATTRIBUTES[ATTACK_RISK_LEVEL]),
                AttributeUse(ATTRIBUTES[ATTACK_BATCH_ID]),
            ),
            measurements=(
                MeasurementUse(MEASUREMENTS["success"], Requirement.REQUIRED),
                MeasurementUse(MEASUREMENTS["input_length"], Requirement.REQUIRED),
                MeasurementUse(MEASUREMENTS["output_length"], Requirement.REQUIRED),
                MeasurementUse(MEASUREMENTS["perturbation_rate"]),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            duration=Duration(watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG)),
            note="Neither the original nor the attacked text is part of it.",
        ),
        CRUCIBLE_ADVERSARY_EVALUATION_COMPLETE: EventDefinition(
            name=CRUCIBLE_ADVERSARY_EVALUATION_COMPLETE,
            brief="A model's robustness was evaluated.",
            producer="crucible_adversary",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_ADVERSARY_EVALUATION_COMPLETE,
            attributes=overridden(
                IDENTITY,
                AttributeUse(
                    ATTRIBUTES[MODEL_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the model has a name.",
                ),
                AttributeUse(ATTRIBUTES[EVALUATION_ATTACK_TYPES], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[EVALUATION_SEVERITY],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it was judged.",
                ),
                AttributeUse(
                    ATTRIBUTES[EVALUATION_VULNERABILITIES],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If they were counted.",
                ),
            ),
            measurements=(
                MeasurementUse(MEASUREMENTS["original_accuracy"], Requirement.REQUIRED),
                MeasurementUse(MEASUREMENTS["attacked_accuracy"], Requirement.REQUIRED),
                MeasurementUse(MEASUREMENTS["absolute_drop"], Requirement.REQUIRED),
                MeasurementUse(MEASUREMENTS["relative_drop"], Requirement.REQUIRED),
                MeasurementUse(MEASUREMENTS["overall_asr"], Requirement.REQUIRED),
                MeasurementUse(MEASUREMENTS["test_set_size"], Requirement.REQUIRED),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            duration=Duration(is_required=False),
        ),
        CRUCIBLE_DEPLOYMENT_INFERENCE_START: EventDefinition(
            name=CRUCIBLE_DEPLOYMENT_INFERENCE_START,
            brief="A call begins.",
            producer="crucible_deployment",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_DEPLOYMENT_INFERENCE_START,
            attributes=overridden(
                IDENTITY,
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the model is deployed under an id.",
                ),
                AttributeUse(ATTRIBUTES[MODEL_NAME], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[MODEL_VERSION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_TARGET],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[REQUEST_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the request has one.",
                ),
                AttributeUse(
                    ATTRIBUTES[INFERENCE_BATCH_SIZE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If inputs come in batches.",
                ),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ENVIRONMENT]),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_TRAFFIC_PERCENT]),
                AttributeUse(ATTRIBUTES[GEN_AI_OPERATION_NAME]),
                AttributeUse(ATTRIBUTES[GEN_AI_PROVIDER_NAME]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_MODEL]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_MAX_TOKENS]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_TEMPERATURE]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_TOP_P]),
                AttributeUse(ATTRIBUTES[GEN_AI_INPUT_MESSAGES], Requirement.OPT_IN),
                AttributeUse(ATTRIBUTES[USER_ID], Requirement.OPT_IN),
                AttributeUse(ATTRIBUTES[USER_ID_HASH], Requirement.OPT_IN),
            ),
            phase=Phase.START,
            lifecycle=CRUCIBLE_DEPLOYMENT_INFERENCE,
        ),
        CRUCIBLE_DEPLOYMENT_INFERENCE_STOP: EventDefinition(
            name=CRUCIBLE_DEPLOYMENT_INFERENCE_STOP,
            brief="A call was answered.",
            producer="crucible_deployment",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_DEPLOYMENT_INFERENCE,
            attributes=overridden(
                IDENTITY,
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the model is deployed under an id.",
                ),
                AttributeUse(ATTRIBUTES[MODEL_NAME], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[MODEL_VERSION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_TARGET],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[REQUEST_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the request has one.",
                ),
                AttributeUse(
                    ATTRIBUTES[INFERENCE_BATCH_SIZE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If inputs come in batches.",
                ),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ENVIRONMENT]),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_TRAFFIC_PERCENT]),
                AttributeUse(ATTRIBUTES[GEN_AI_OPERATION_NAME]),
                AttributeUse(ATTRIBUTES[GEN_AI_PROVIDER_NAME]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_MODEL]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_MAX_TOKENS]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_TEMPERATURE]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_TOP_P]),
                AttributeUse(ATTRIBUTES[GEN_AI_INPUT_MESSAGES], Requirement.OPT_IN),
                AttributeUse(ATTRIBUTES[USER_ID], Requirement.OPT_IN),
                AttributeUse(ATTRIBUTES[USER_ID_HASH], Requirement.OPT_IN),
                AttributeUse(ATTRIBUTES[GEN_AI_RESPONSE_MODEL]),
                AttributeUse(ATTRIBUTES[GEN_AI_RESPONSE_ID]),
                AttributeUse(ATTRIBUTES[GEN_AI_RESPONSE_FINISH_REASONS]),
                AttributeUse(ATTRIBUTES[GEN_AI_OUTPUT_MESSAGES], Requirement.OPT_IN),
                AttributeUse(
                    ATTRIBUTES[STATUS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If not ok.",
                    values=("ok", "error", "cancelled"),
                ),
            ),
            measurements=(
                MeasurementUse(
                    MEASUREMENTS["input_size"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                MeasurementUse(
                    MEASUREMENTS["output_size"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                MeasurementUse(MEASUREMENTS["input_tokens"]),
                MeasurementUse(MEASUREMENTS["output_tokens"]),
                MeasurementUse(MEASUREMENTS["cached_tokens"]),
                MeasurementUse(MEASUREMENTS["cache_creation_tokens"]),
                MeasurementUse(MEASUREMENTS["reasoning_tokens"]),
                MeasurementUse(MEASUREMENTS["time_to_first_token_ms"]),
                MeasurementUse(MEASUREMENTS["time_per_output_token_ms"]),
                MeasurementUse(MEASUREMENTS["tokens_per_second"]),
                MeasurementUse(MEASUREMENTS["cost_usd"]),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            phase=Phase.STOP,
            lifecycle=CRUCIBLE_DEPLOYMENT_INFERENCE,
            duration=Duration(watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG)),
            note="Its numbers stay on the span and in the weighted roll-ups, so that calls can be sampled.",
        ),
        CRUCIBLE_DEPLOYMENT_INFERENCE_EXCEPTION: EventDefinition(
            name=CRUCIBLE_DEPLOYMENT_INFERENCE_EXCEPTION,
            brief="A call failed.",
            producer="crucible_deployment",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_DEPLOYMENT_INFERENCE,
            attributes=overridden(
                IDENTITY,
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the model is deployed under an id.",
                ),
                AttributeUse(ATTRIBUTES[MODEL_NAME], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[MODEL_VERSION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_TARGET],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[REQUEST_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the request has one.",
                ),
                AttributeUse(
                    ATTRIBUTES[INFERENCE_BATCH_SIZE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If inputs come in batches.",
                ),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ENVIRONMENT]),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_TRAFFIC_PERCENT]),
                AttributeUse(ATTRIBUTES[GEN_AI_OPERATION_NAME]),
                AttributeUse(ATTRIBUTES[GEN_AI_PROVIDER_NAME]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_MODEL]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_MAX_TOKENS]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_TEMPERATURE]),
                AttributeUse(ATTRIBUTES[GEN_AI_REQUEST_TOP_P]),
                AttributeUse(ATTRIBUTES[GEN_AI_INPUT_MESSAGES], Requirement.OPT_IN),
                AttributeUse(ATTRIBUTES[USER_ID], Requirement.OPT_IN),
                AttributeUse(ATTRIBUTES[USER_ID_HASH], Requirement.OPT_IN),
                AttributeUse(ATTRIBUTES[ERROR_KIND], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[ERROR_REASON], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[EXCEPTION_TYPE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_MESSAGE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_STACKTRACE]),
                AttributeUse(ATTRIBUTES[HTTP_RESPONSE_STATUS_CODE]),
                AttributeUse(ATTRIBUTES[GEN_AI_RESPONSE_MODEL]),
                AttributeUse(ATTRIBUTES[GEN_AI_RESPONSE_ID]),
                AttributeUse(ATTRIBUTES[GEN_AI_RESPONSE_FINISH_REASONS]),
                AttributeUse(ATTRIBUTES[GEN_AI_OUTPUT_MESSAGES], Requirement.OPT_IN),
                AttributeUse(ATTRIBUTES[STATUS], values=("error", "cancelled")),
            ),
            measurements=(
                MeasurementUse(MEASUREMENTS["input_tokens"]),
                MeasurementUse(MEASUREMENTS["output_tokens"]),
                MeasurementUse(MEASUREMENTS["cached_tokens"]),
                MeasurementUse(MEASUREMENTS["cache_creation_tokens"]),
                MeasurementUse(MEASUREMENTS["reasoning_tokens"]),
                MeasurementUse(MEASUREMENTS["time_to_first_token_ms"]),
                MeasurementUse(MEASUREMENTS["time_per_output_token_ms"]),
                MeasurementUse(MEASUREMENTS["tokens_per_second"]),
                MeasurementUse(MEASUREMENTS["input_size"]),
                MeasurementUse(MEASUREMENTS["output_size"]),
                MeasurementUse(MEASUREMENTS["cost_usd"]),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            phase=Phase.EXCEPTION,
            lifecycle=CRUCIBLE_DEPLOYMENT_INFERENCE,
            duration=Duration(),
            note="Tokens and cost are what had been used up.",
        ),
        CRUCIBLE_DEPLOYMENT_HEALTH_CHECK_COMPLETED: EventDefinition(
            name=CRUCIBLE_DEPLOYMENT_HEALTH_CHECK_COMPLETED,
            brief="A deployment was checked.",
            producer="crucible_deployment",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_DEPLOYMENT_HEALTH_CHECK_COMPLETED,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[STATUS],
                    Requirement.REQUIRED,
                    values=("healthy", "unhealthy", "degraded", "unknown"),
                ),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_TARGET],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[HEALTH_CHECK_THRESHOLD_EXCEEDED], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[HEALTH_CHECK_THRESHOLDS_ERROR_RATE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If there is such a threshold.",
                ),
                AttributeUse(
                    ATTRIBUTES[HEALTH_CHECK_THRESHOLDS_P99_LATENCY],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If there is such a threshold.",
                ),
            ),
            measurements=(
                MeasurementUse(MEASUREMENTS["latency_p50"], Requirement.REQUIRED, is_series=True),
                MeasurementUse(MEASUREMENTS["latency_p99"], Requirement.REQUIRED, is_series=True),
                MeasurementUse(MEASUREMENTS["error_rate"], Requirement.REQUIRED, is_series=True),
                MeasurementUse(MEASUREMENTS["requests_per_second"], is_series=True),
            ),
            free_measurements=FreeMeasurements.SERIES,
            duration=Duration(is_required=False),
            aliases=("crucible_deployment.health_check",),
        ),
        CRUCIBLE_DEPLOYMENT_DEPLOY: EventDefinition(
            name=CRUCIBLE_DEPLOYMENT_DEPLOY,
            brief="A model version was deployed.",
            producer="crucible_deployment",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_DEPLOYMENT_DEPLOY,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_TARGET],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_STRATEGY],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ENVIRONMENT]),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_TRAFFIC_PERCENT]),
                AttributeUse(
                    ATTRIBUTES[MODEL_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[MODEL_VERSION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
            ),
            measurements=(MeasurementUse(MEASUREMENTS["count"]),),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            duration=Duration(is_required=False),
        ),
        CRUCIBLE_DEPLOYMENT_PROMOTE: EventDefinition(
            name=CRUCIBLE_DEPLOYMENT_PROMOTE,
            brief="A deployed version took over the traffic.",
            producer="crucible_deployment",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_DEPLOYMENT_PROMOTE,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_TARGET],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_STRATEGY],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ENVIRONMENT]),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_TRAFFIC_PERCENT]),
                AttributeUse(
                    ATTRIBUTES[MODEL_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[MODEL_VERSION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
            ),
            measurements=(MeasurementUse(MEASUREMENTS["count"]),),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            duration=Duration(is_required=False),
        ),
        CRUCIBLE_DEPLOYMENT_ROLLBACK: EventDefinition(
            name=CRUCIBLE_DEPLOYMENT_ROLLBACK,
            brief="The version before took over again.",
            producer="crucible_deployment",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_DEPLOYMENT_ROLLBACK,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_TARGET],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_STRATEGY],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ENVIRONMENT]),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_TRAFFIC_PERCENT]),
                AttributeUse(
                    ATTRIBUTES[MODEL_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[MODEL_VERSION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[ERROR_REASON],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If one was given.",
                ),
            ),
            measurements=(MeasurementUse(MEASUREMENTS["count"]),),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            duration=Duration(is_required=False),
        ),
        CRUCIBLE_DEPLOYMENT_TERMINATE: EventDefinition(
            name=CRUCIBLE_DEPLOYMENT_TERMINATE,
            brief="A deployment was taken down.",
            producer="crucible_deployment",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_DEPLOYMENT_TERMINATE,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_TARGET],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[DEPLOYMENT_STRATEGY],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_ENVIRONMENT]),
                AttributeUse(ATTRIBUTES[DEPLOYMENT_TRAFFIC_PERCENT]),
                AttributeUse(
                    ATTRIBUTES[MODEL_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[MODEL_VERSION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[ERROR_REASON],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If one was given.",
                ),
            ),
            measurements=(MeasurementUse(MEASUREMENTS["count"]),),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            duration=Duration(is_required=False),
        ),
        CRUCIBLE_TELEMETRY_EXPERIMENT_START: EventDefinition(
            name=CRUCIBLE_TELEMETRY_EXPERIMENT_START,
            brief="Work on an experiment begins.",
            producer="crucible_telemetry",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_TELEMETRY_EXPERIMENT_START,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[EXPERIMENT_NAME], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_STATUS],
                    Requirement.REQUIRED,
                    values=("running", "stopped"),
                    note="Running on the start marker, stopped at the end.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_TYPE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_OWNER],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_METADATA],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If there is any.",
                ),
            ),
            phase=Phase.START,
            lifecycle=CRUCIBLE_TELEMETRY_EXPERIMENT,
        ),
        CRUCIBLE_TELEMETRY_EXPERIMENT_STOP: EventDefinition(
            name=CRUCIBLE_TELEMETRY_EXPERIMENT_STOP,
            brief="Work on an experiment came to its end.",
            producer="crucible_telemetry",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_TELEMETRY_EXPERIMENT,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[EXPERIMENT_NAME], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_STATUS],
                    Requirement.REQUIRED,
                    values=("running", "stopped"),
                    note="Running on the start marker, stopped at the end.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_TYPE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_OWNER],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_METADATA],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If there is any.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_ABORTED],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it was.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_ABORT_REASON],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it was aborted.",
                ),
            ),
            measurements=(
                MeasurementUse(MEASUREMENTS["active_duration"]),
                MeasurementUse(MEASUREMENTS["paused_duration"]),
                MeasurementUse(MEASUREMENTS["pause_count"]),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            phase=Phase.STOP,
            lifecycle=CRUCIBLE_TELEMETRY_EXPERIMENT,
            duration=Duration(),
        ),
        CRUCIBLE_TELEMETRY_EXPERIMENT_EXCEPTION: EventDefinition(
            name=CRUCIBLE_TELEMETRY_EXPERIMENT_EXCEPTION,
            brief="Work on an experiment was ended by an error.",
            producer="crucible_telemetry",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_TELEMETRY_EXPERIMENT,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[EXPERIMENT_NAME], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_STATUS],
                    Requirement.REQUIRED,
                    values=("running", "stopped"),
                    note="Running on the start marker, stopped at the end.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_TYPE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_OWNER],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_METADATA],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If there is any.",
                ),
                AttributeUse(ATTRIBUTES[ERROR_KIND], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[ERROR_REASON], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[EXCEPTION_TYPE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_MESSAGE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_STACKTRACE]),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_ABORTED],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it was.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_ABORT_REASON],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it was aborted.",
                ),
            ),
            measurements=(
                MeasurementUse(MEASUREMENTS["active_duration"]),
                MeasurementUse(MEASUREMENTS["paused_duration"]),
                MeasurementUse(MEASUREMENTS["pause_count"]),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            phase=Phase.EXCEPTION,
            lifecycle=CRUCIBLE_TELEMETRY_EXPERIMENT,
            duration=Duration(),
        ),
        CRUCIBLE_TELEMETRY_EXPERIMENT_PAUSED: EventDefinition(
            name=CRUCIBLE_TELEMETRY_EXPERIMENT_PAUSED,
            brief="Work on an experiment was halted for a while.",
            producer="crucible_telemetry",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_TELEMETRY_EXPERIMENT_PAUSED,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_STATUS],
                    Requirement.REQUIRED,
                    values=("paused",),
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_PAUSE_REASON],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If one was given.",
                ),
            ),
            measurements=(MeasurementUse(MEASUREMENTS["pause_count"], Requirement.REQUIRED),),
        ),
        CRUCIBLE_TELEMETRY_EXPERIMENT_RESUMED: EventDefinition(
            name=CRUCIBLE_TELEMETRY_EXPERIMENT_RESUMED,
            brief="Work on an experiment goes on.",
            producer="crucible_telemetry",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_TELEMETRY_EXPERIMENT_RESUMED,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_STATUS],
                    Requirement.REQUIRED,
                    values=("running",),
                ),
            ),
            measurements=(
                MeasurementUse(MEASUREMENTS["pause_count"], Requirement.REQUIRED),
                MeasurementUse(
                    MEASUREMENTS["paused_duration"],
                    Requirement.REQUIRED,
                    note="Of this pause.",
                ),
            ),
        ),
        CRUCIBLE_TELEMETRY_RUN_HEARTBEAT: EventDefinition(
            name=CRUCIBLE_TELEMETRY_RUN_HEARTBEAT,
            brief="A run is alive.",
            producer="crucible_telemetry",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_TELEMETRY_RUN_HEARTBEAT,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[STEP],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If one was begun.",
                ),
                AttributeUse(
                    ATTRIBUTES[EPOCH],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If one was begun.",
                ),
                AttributeUse(ATTRIBUTES[HEARTBEAT_INTERVAL_S], Requirement.REQUIRED),
            ),
            note="A run that sent one and falls silent for several intervals is taken to have stalled.",
        ),
        CRUCIBLE_XAI_EXPLANATION_GENERATED: EventDefinition(
            name=CRUCIBLE_XAI_EXPLANATION_GENERATED,
            brief="One answer, or several at once, were explained.",
            producer="crucible_xai",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_XAI_EXPLANATION_GENERATED,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[EXPLANATION_METHOD], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[MODEL_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the model has a name.",
                ),
                AttributeUse(ATTRIBUTES[EXPLANATION_INSTANCE_ID]),
                AttributeUse(ATTRIBUTES[EXPLANATION_KERNEL]),
                AttributeUse(
                    ATTRIBUTES[EXPLANATION_PARALLEL],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If there were several instances.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPLANATION_TOP_FEATURES],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If features were ranked.",
                ),
            ),
            measurements=(
                MeasurementUse(
                    MEASUREMENTS["num_samples"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the method takes samples.",
                ),
                MeasurementUse(MEASUREMENTS["num_features"], Requirement.REQUIRED),
                MeasurementUse(MEASUREMENTS["n_instances"], Requirement.REQUIRED),
                MeasurementUse(
                    MEASUREMENTS["score"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the method fits a model.",
                ),
                MeasurementUse(MEASUREMENTS["faithfulness"]),
                MeasurementUse(MEASUREMENTS["infidelity"]),
                MeasurementUse(MEASUREMENTS["sensitivity"]),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            duration=Duration(watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG)),
        ),
        CRUCIBLE_FEEDBACK_FEEDBACK_RECORDED: EventDefinition(
            name=CRUCIBLE_FEEDBACK_FEEDBACK_RECORDED,
            brief="Somebody judged an answer.",
            producer="crucible_feedback",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_FEEDBACK_FEEDBACK_RECORDED,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[FEEDBACK_TYPE], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[MODEL_NAME]),
                AttributeUse(
                    ATTRIBUTES[MODEL_VERSION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[REQUEST_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the request has one.",
                ),
                AttributeUse(ATTRIBUTES[FEEDBACK_LABEL]),
                AttributeUse(ATTRIBUTES[FEEDBACK_CONTENT], Requirement.OPT_IN),
                AttributeUse(ATTRIBUTES[USER_ID], Requirement.OPT_IN),
                AttributeUse(ATTRIBUTES[USER_ID_HASH], Requirement.OPT_IN),
            ),
            measurements=(
                MeasurementUse(
                    MEASUREMENTS["rating"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it is a rating or thumbs.",
                ),
                MeasurementUse(MEASUREMENTS["latency_ms"]),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
        ),
        CRUCIBLE_FRAMEWORK_PIPELINE_START: EventDefinition(
            name=CRUCIBLE_FRAMEWORK_PIPELINE_START,
            brief="A pipeline begins.",
            producer="crucible_framework",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_FRAMEWORK_PIPELINE_START,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_TAGS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If there are any.",
                ),
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[PIPELINE_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it is not the run's.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_TYPE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[BACKEND_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[DATASET_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the pipeline has one data set.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_OWNER],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
            ),
            measurements=(
                MeasurementUse(
                    MEASUREMENTS["stage_count"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known beforehand.",
                ),
            ),
            phase=Phase.START,
            lifecycle=CRUCIBLE_FRAMEWORK_PIPELINE,
            aliases=("crucible_kitchen.workflow.run.start",),
        ),
        CRUCIBLE_FRAMEWORK_PIPELINE_STOP: EventDefinition(
            name=CRUCIBLE_FRAMEWORK_PIPELINE_STOP,
            brief="A pipeline came to its end, or was halted by a stage.",
            producer="crucible_framework",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_FRAMEWORK_PIPELINE,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_TAGS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If there are any.",
                ),
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[PIPELINE_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it is not the run's.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_TYPE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[BACKEND_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[DATASET_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the pipeline has one data set.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_OWNER],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[STATUS],
                    Requirement.REQUIRED,
                    values=("completed", "failed"),
                ),
                AttributeUse(
                    ATTRIBUTES[PIPELINE_FAILED_STAGE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If a stage failed.",
                ),
                AttributeUse(
                    ATTRIBUTES[ERROR_REASON],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If a stage failed.",
                ),
            ),
            measurements=(MeasurementUse(MEASUREMENTS["stages_completed"], Requirement.REQUIRED),),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            phase=Phase.STOP,
            lifecycle=CRUCIBLE_FRAMEWORK_PIPELINE,
            duration=Duration(),
            aliases=("crucible_kitchen.workflow.run.stop",),
            note="The pipeline's final metrics are free measurements.",
        ),
        CRUCIBLE_FRAMEWORK_PIPELINE_EXCEPTION: EventDefinition(
            name=CRUCIBLE_FRAMEWORK_PIPELINE_EXCEPTION,
            brief="A pipeline was ended by an exception.",
            producer="crucible_framework",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_FRAMEWORK_PIPELINE,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_TAGS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If there are any.",
                ),
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[PIPELINE_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it is not the run's.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_TYPE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[BACKEND_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[DATASET_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the pipeline has one data set.",
                ),
                AttributeUse(
                    ATTRIBUTES[EXPERIMENT_OWNER],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[ERROR_KIND], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[ERROR_REASON], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[EXCEPTION_TYPE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_MESSAGE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_STACKTRACE]),
                AttributeUse(ATTRIBUTES[STATUS], values=("failed", "cancelled")),
                AttributeUse(
                    ATTRIBUTES[PIPELINE_FAILED_STAGE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it was inside a stage.",
                ),
            ),
            measurements=(MeasurementUse(MEASUREMENTS["stages_completed"], Requirement.REQUIRED),),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            phase=Phase.EXCEPTION,
            lifecycle=CRUCIBLE_FRAMEWORK_PIPELINE,
            duration=Duration(),
            aliases=("crucible_kitchen.workflow.run.exception",),
        ),
        CRUCIBLE_FRAMEWORK_STAGE_START: EventDefinition(
            name=CRUCIBLE_FRAMEWORK_STAGE_START,
            brief="A stage begins.",
            producer="crucible_framework",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_FRAMEWORK_STAGE_START,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[STAGE_NAME], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[STAGE_INDEX], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[PIPELINE_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it is not the run's.",
                ),
                AttributeUse(
                    ATTRIBUTES[STAGE_MODULE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[STAGE_ATTEMPT]),
                AttributeUse(
                    ATTRIBUTES[STAGE_OPTIONS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If some are on the list of those allowed.",
                ),
            ),
            phase=Phase.START,
            lifecycle=CRUCIBLE_FRAMEWORK_STAGE,
            aliases=("crucible_kitchen.stage.run.start",),
        ),
        CRUCIBLE_FRAMEWORK_STAGE_STOP: EventDefinition(
            name=CRUCIBLE_FRAMEWORK_STAGE_STOP,
            brief="A stage came to its end, reported an error, or was skipped.",
            producer="crucible_framework",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_FRAMEWORK_STAGE,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[STAGE_NAME], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[STAGE_INDEX], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[PIPELINE_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it is not the run's.",
                ),
                AttributeUse(
                    ATTRIBUTES[STAGE_MODULE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[STAGE_ATTEMPT]),
                AttributeUse(
                    ATTRIBUTES[STAGE_OPTIONS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If some are on the list of those allowed.",
                ),
                AttributeUse(
                    ATTRIBUTES[STATUS],
                    Requirement.REQUIRED,
                    values=("ok", "error", "skipped"),
                ),
                AttributeUse(
                    ATTRIBUTES[ERROR_REASON],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the status is not ok.",
                ),
                AttributeUse(
                    ATTRIBUTES[STAGE_METRICS_DELTA],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it changed any.",
                ),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            phase=Phase.STOP,
            lifecycle=CRUCIBLE_FRAMEWORK_STAGE,
            duration=Duration(watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG)),
            aliases=("crucible_kitchen.stage.run.stop",),
            note="Numbers of its own are free measurements.",
        ),
        CRUCIBLE_FRAMEWORK_STAGE_EXCEPTION: EventDefinition(
            name=CRUCIBLE_FRAMEWORK_STAGE_EXCEPTION,
            brief="A stage was ended by an exception.",
            producer="crucible_framework",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_FRAMEWORK_STAGE,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[STAGE_NAME], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[STAGE_INDEX], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[PIPELINE_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it is not the run's.",
                ),
                AttributeUse(
                    ATTRIBUTES[STAGE_MODULE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[STAGE_ATTEMPT]),
                AttributeUse(
                    ATTRIBUTES[STAGE_OPTIONS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If some are on the list of those allowed.",
                ),
                AttributeUse(ATTRIBUTES[ERROR_KIND], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[ERROR_REASON], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[EXCEPTION_TYPE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_MESSAGE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_STACKTRACE]),
                AttributeUse(ATTRIBUTES[STATUS], values=("error", "cancelled")),
                AttributeUse(
                    ATTRIBUTES[STAGE_METRICS_DELTA],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it changed any.",
                ),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            phase=Phase.EXCEPTION,
            lifecycle=CRUCIBLE_FRAMEWORK_STAGE,
            duration=Duration(),
            aliases=("crucible_kitchen.stage.run.exception",),
            note="Numbers of its own are free measurements.",
        ),
        CRUCIBLE_TRAIN_TRAINING_START: EventDefinition(
            name=CRUCIBLE_TRAIN_TRAINING_START,
            brief="A training begins.",
            producer="crucible_train",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_TRAIN_TRAINING_START,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[MODEL_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the model has a name.",
                ),
                AttributeUse(ATTRIBUTES[MODEL_VERSION]),
                AttributeUse(
                    ATTRIBUTES[DATASET_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the data set has a name.",
                ),
                AttributeUse(
                    ATTRIBUTES[DATASET_SPLIT],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the data set has several.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_CONFIG],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If a configuration was given.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_CONFIG_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the configuration is stored under an id.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_ALGORITHM],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_EPOCHS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_BATCH_SIZE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_LEARNING_RATE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_LR_SCHEDULE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_OPTIMIZER],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_LOSS_FUNCTION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[TRAINING_SEED]),
                AttributeUse(
                    ATTRIBUTES[TRAINING_DEVICE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_MIXED_PRECISION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[TRAINING_GRADIENT_CLIPPING]),
                AttributeUse(ATTRIBUTES[TRAINING_EARLY_STOPPING]),
                AttributeUse(ATTRIBUTES[TRAINING_CHECKPOINT_EVERY]),
                AttributeUse(
                    ATTRIBUTES[TRAINING_METRICS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
            ),
            measurements=(
                MeasurementUse(
                    MEASUREMENTS["total_steps"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                MeasurementUse(
                    MEASUREMENTS["dataset_size"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
            ),
            phase=Phase.START,
            lifecycle=CRUCIBLE_TRAIN_TRAINING,
        ),
        CRUCIBLE_TRAIN_TRAINING_STOP: EventDefinition(
            name=CRUCIBLE_TRAIN_TRAINING_STOP,
            brief="A training came to its end.",
            producer="crucible_train",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_TRAIN_TRAINING,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[MODEL_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the model has a name.",
                ),
                AttributeUse(ATTRIBUTES[MODEL_VERSION]),
                AttributeUse(
                    ATTRIBUTES[DATASET_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the data set has a name.",
                ),
                AttributeUse(
                    ATTRIBUTES[DATASET_SPLIT],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the data set has several.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_CONFIG],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If a configuration was given.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_CONFIG_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the configuration is stored under an id.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_ALGORITHM],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_EPOCHS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_BATCH_SIZE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_LEARNING_RATE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_LR_SCHEDULE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_OPTIMIZER],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_LOSS_FUNCTION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[TRAINING_SEED]),
                AttributeUse(
                    ATTRIBUTES[TRAINING_DEVICE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_MIXED_PRECISION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[TRAINING_GRADIENT_CLIPPING]),
                AttributeUse(ATTRIBUTES[TRAINING_EARLY_STOPPING]),
                AttributeUse(ATTRIBUTES[TRAINING_CHECKPOINT_EVERY]),
                AttributeUse(
                    ATTRIBUTES[TRAINING_METRICS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[STATUS],
                    Requirement.REQUIRED,
                    values=("completed", "failed", "cancelled", "early_stopped"),
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_BEST_METRICS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If there were several epochs.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_BEST_EPOCH],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If there were several epochs.",
                ),
                AttributeUse(ATTRIBUTES[TRAINING_PATIENCE]),
                AttributeUse(
                    ATTRIBUTES[TRAINING_FINAL_MODEL_VERSION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the result was registered.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_CHECKPOINT_URIS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If checkpoints were saved.",
                ),
            ),
            measurements=(
                MeasurementUse(MEASUREMENTS["total_epochs"], Requirement.REQUIRED),
                MeasurementUse(MEASUREMENTS["total_steps"], Requirement.REQUIRED),
                MeasurementUse(
                    MEASUREMENTS["final_loss"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If a loss was measured.",
                ),
                MeasurementUse(
                    MEASUREMENTS["final_accuracy"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If an accuracy was measured.",
                ),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            phase=Phase.STOP,
            lifecycle=CRUCIBLE_TRAIN_TRAINING,
            duration=Duration(),
        ),
        CRUCIBLE_TRAIN_TRAINING_EXCEPTION: EventDefinition(
            name=CRUCIBLE_TRAIN_TRAINING_EXCEPTION,
            brief="A training was ended by an error.",
            producer="crucible_train",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_TRAIN_TRAINING,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[STEP],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If one was begun.",
                ),
                AttributeUse(
                    ATTRIBUTES[EPOCH],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If one was begun.",
                ),
                AttributeUse(
                    ATTRIBUTES[MODEL_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the model has a name.",
                ),
                AttributeUse(ATTRIBUTES[MODEL_VERSION]),
                AttributeUse(
                    ATTRIBUTES[DATASET_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the data set has a name.",
                ),
                AttributeUse(
                    ATTRIBUTES[DATASET_SPLIT],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the data set has several.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_CONFIG],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If a configuration was given.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_CONFIG_ID],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the configuration is stored under an id.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_ALGORITHM],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_EPOCHS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_BATCH_SIZE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_LEARNING_RATE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_LR_SCHEDULE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_OPTIMIZER],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_LOSS_FUNCTION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[TRAINING_SEED]),
                AttributeUse(
                    ATTRIBUTES[TRAINING_DEVICE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_MIXED_PRECISION],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[TRAINING_GRADIENT_CLIPPING]),
                AttributeUse(ATTRIBUTES[TRAINING_EARLY_STOPPING]),
                AttributeUse(ATTRIBUTES[TRAINING_CHECKPOINT_EVERY]),
                AttributeUse(
                    ATTRIBUTES[TRAINING_METRICS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[ERROR_KIND], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[ERROR_REASON], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[EXCEPTION_TYPE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_MESSAGE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_STACKTRACE]),
                AttributeUse(ATTRIBUTES[STATUS], values=("failed", "cancelled")),
                AttributeUse(
                    ATTRIBUTES[BATCH_INDEX],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If one was begun.",
                ),
                AttributeUse(ATTRIBUTES[TRAINING_BEST_METRICS]),
                AttributeUse(ATTRIBUTES[TRAINING_BEST_EPOCH]),
                AttributeUse(ATTRIBUTES[TRAINING_CHECKPOINT_URIS]),
            ),
            measurements=(
                MeasurementUse(MEASUREMENTS["total_epochs"]),
                MeasurementUse(MEASUREMENTS["total_steps"]),
                MeasurementUse(MEASUREMENTS["final_loss"]),
                MeasurementUse(MEASUREMENTS["final_accuracy"]),
            ),
            free_measurements=FreeMeasurements.ATTRIBUTES,
            phase=Phase.EXCEPTION,
            lifecycle=CRUCIBLE_TRAIN_TRAINING,
            duration=Duration(),
            note="Epoch, batch and step are the last ones that were begun.",
        ),
        CRUCIBLE_TRAIN_EPOCH_START: EventDefinition(
            name=CRUCIBLE_TRAIN_EPOCH_START,
            brief="An epoch begins.",
            producer="crucible_train",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_TRAIN_EPOCH_START,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[EPOCH], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[TRAINING_EPOCHS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
            ),
            phase=Phase.START,
            lifecycle=CRUCIBLE_TRAIN_EPOCH,
        ),
        CRUCIBLE_TRAIN_EPOCH_STOP: EventDefinition(
            name=CRUCIBLE_TRAIN_EPOCH_STOP,
            brief="An epoch came to its end.",
            producer="crucible_train",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_TRAIN_EPOCH,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[STEP],
                    Requirement.REQUIRED,
                    note="The last step of the epoch.",
                ),
                AttributeUse(ATTRIBUTES[EPOCH], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[TRAINING_EPOCHS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[STATUS],
                    values=("completed", "failed", "cancelled", "early_stopped"),
                ),
            ),
            measurements=(
                MeasurementUse(
                    MEASUREMENTS["loss"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If measured over the epoch.",
                    is_series=True,
                ),
                MeasurementUse(
                    MEASUREMENTS["accuracy"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If measured over the epoch.",
                    is_series=True,
                ),
                MeasurementUse(MEASUREMENTS["val_loss"], is_series=True),
                MeasurementUse(MEASUREMENTS["val_accuracy"], is_series=True),
                MeasurementUse(MEASUREMENTS["steps"], Requirement.REQUIRED, is_series=True),
                MeasurementUse(MEASUREMENTS["samples"], is_series=True),
                MeasurementUse(MEASUREMENTS["tokens"], is_series=True),
                MeasurementUse(
                    MEASUREMENTS["learning_rate"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                    is_series=True,
                ),
            ),
            free_measurements=FreeMeasurements.SERIES,
            phase=Phase.STOP,
            lifecycle=CRUCIBLE_TRAIN_EPOCH,
            duration=Duration(watch=Watch(watch_class=WatchClass.THROUGHPUT, scale=WatchScale.LOG)),
            aliases=("crucible_kitchen.training.epoch",),
        ),
        CRUCIBLE_TRAIN_EPOCH_EXCEPTION: EventDefinition(
            name=CRUCIBLE_TRAIN_EPOCH_EXCEPTION,
            brief="An epoch was ended by an error.",
            producer="crucible_train",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_TRAIN_EPOCH,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[STEP],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If one was begun.",
                    note="The last step that was begun.",
                ),
                AttributeUse(ATTRIBUTES[EPOCH], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[TRAINING_EPOCHS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(ATTRIBUTES[ERROR_KIND], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[ERROR_REASON], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[EXCEPTION_TYPE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_MESSAGE]),
                AttributeUse(ATTRIBUTES[EXCEPTION_STACKTRACE]),
                AttributeUse(
                    ATTRIBUTES[BATCH_INDEX],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If one was begun.",
                ),
                AttributeUse(ATTRIBUTES[STATUS], values=("failed", "cancelled")),
            ),
            measurements=(
                MeasurementUse(MEASUREMENTS["loss"], is_series=True),
                MeasurementUse(MEASUREMENTS["accuracy"], is_series=True),
                MeasurementUse(MEASUREMENTS["steps"], is_series=True),
                MeasurementUse(MEASUREMENTS["learning_rate"], is_series=True),
            ),
            free_measurements=FreeMeasurements.SERIES,
            phase=Phase.EXCEPTION,
            lifecycle=CRUCIBLE_TRAIN_EPOCH,
            duration=Duration(),
            note="Measurements are those that had been made; they are points like those of a stop.",
        ),
        CRUCIBLE_TRAIN_BATCH_STOP: EventDefinition(
            name=CRUCIBLE_TRAIN_BATCH_STOP,
            brief="A batch was worked through, or failed.",
            producer="crucible_train",
            kind=EventKind.SPAN,
            span_name=CRUCIBLE_TRAIN_BATCH,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[STEP], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[BATCH_INDEX],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="Inside an epoch.",
                ),
                AttributeUse(
                    ATTRIBUTES[TRAINING_TOTAL_STEPS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[BATCH_SIZE],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
                AttributeUse(
                    ATTRIBUTES[STATUS],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If not ok.",
                    values=("ok", "error"),
                ),
                AttributeUse(
                    ATTRIBUTES[ERROR_KIND],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the batch failed.",
                ),
                AttributeUse(
                    ATTRIBUTES[ERROR_REASON],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If the batch failed.",
                ),
            ),
            measurements=(
                MeasurementUse(
                    MEASUREMENTS["loss"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If measured.",
                    is_series=True,
                ),
                MeasurementUse(MEASUREMENTS["accuracy"], is_series=True),
                MeasurementUse(
                    MEASUREMENTS["gradient_norm"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If measured.",
                    is_series=True,
                ),
                MeasurementUse(
                    MEASUREMENTS["learning_rate"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                    is_series=True,
                ),
                MeasurementUse(MEASUREMENTS["tokens"], is_series=True),
                MeasurementUse(MEASUREMENTS["samples"], is_series=True),
                MeasurementUse(MEASUREMENTS["reward_mean"], is_series=True),
                MeasurementUse(MEASUREMENTS["reward_std"], is_series=True),
                MeasurementUse(MEASUREMENTS["kl_divergence"], is_series=True),
                MeasurementUse(MEASUREMENTS["entropy"], is_series=True),
                MeasurementUse(MEASUREMENTS["policy_loss"], is_series=True),
                MeasurementUse(MEASUREMENTS["value_loss"], is_series=True),
                MeasurementUse(MEASUREMENTS["margin"], is_series=True),
                MeasurementUse(MEASUREMENTS["chosen_reward"], is_series=True),
                MeasurementUse(MEASUREMENTS["rejected_reward"], is_series=True),
            ),
            free_measurements=FreeMeasurements.SERIES,
            phase=Phase.STOP,
            lifecycle=CRUCIBLE_TRAIN_BATCH,
            duration=Duration(watch=Watch(watch_class=WatchClass.THROUGHPUT, scale=WatchScale.LOG)),
            aliases=("crucible_kitchen.training.step",),
            note="A failed batch is a stop with status error, since trainings go on after one. Any other number of the step may come along; names with slashes, such as optim/entropy, stay as they are.",
        ),
        CRUCIBLE_TRAIN_CHECKPOINT_SAVED: EventDefinition(
            name=CRUCIBLE_TRAIN_CHECKPOINT_SAVED,
            brief="A checkpoint was written.",
            producer="crucible_train",
            kind=EventKind.POINT,
            span_name=CRUCIBLE_TRAIN_CHECKPOINT_SAVED,
            attributes=overridden(
                IDENTITY,
                AttributeUse(ATTRIBUTES[RUN_ID], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[STEP],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If saved inside or after a step.",
                ),
                AttributeUse(
                    ATTRIBUTES[EPOCH],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If saved inside or after an epoch.",
                ),
                AttributeUse(ATTRIBUTES[CHECKPOINT_PATH], Requirement.REQUIRED),
                AttributeUse(
                    ATTRIBUTES[CHECKPOINT_NAME],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it has one apart from its path.",
                ),
                AttributeUse(
                    ATTRIBUTES[CHECKPOINT_KIND],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If known.",
                ),
            ),
            measurements=(
                MeasurementUse(
                    MEASUREMENTS["model_size_bytes"],
                    Requirement.CONDITIONALLY_REQUIRED,
                    condition="If it can be told.",
                ),
            ),
            free_measurements=FreeMeasurements.SERIES,
            duration=Duration(is_required=False),
            aliases=("crucible_kitchen.training.checkpoint",),
            note="Metrics that belong to the checkpoint are free measurements, at its step.",
        ),
    },
)
"""Events, by name."""

LIFECYCLES: Final[Mapping[str, LifecycleDefinition]] = MappingProxyType(
    {
        CRUCIBLE_DEPLOYMENT_INFERENCE: LifecycleDefinition(
            span_name=CRUCIBLE_DEPLOYMENT_INFERENCE,
            brief="One call of a model.",
            stop=CRUCIBLE_DEPLOYMENT_INFERENCE_STOP,
            start=CRUCIBLE_DEPLOYMENT_INFERENCE_START,
            exception=CRUCIBLE_DEPLOYMENT_INFERENCE_EXCEPTION,
            note="Short calls send no start marker: the span carries its start. Prompts and answers are not part of it. OpenTelemetry's gen_ai attributes are read as they are.",
        ),
        CRUCIBLE_TELEMETRY_EXPERIMENT: LifecycleDefinition(
            span_name=CRUCIBLE_TELEMETRY_EXPERIMENT,
            brief="One stretch of work on an experiment, under one condition. Begins a trace of its own.",
            stop=CRUCIBLE_TELEMETRY_EXPERIMENT_STOP,
            start=CRUCIBLE_TELEMETRY_EXPERIMENT_START,
            exception=CRUCIBLE_TELEMETRY_EXPERIMENT_EXCEPTION,
            note="Processes that name the same experiment each send one.",
        ),
        CRUCIBLE_FRAMEWORK_PIPELINE: LifecycleDefinition(
            span_name=CRUCIBLE_FRAMEWORK_PIPELINE,
            brief="One execution of a pipeline.",
            stop=CRUCIBLE_FRAMEWORK_PIPELINE_STOP,
            start=CRUCIBLE_FRAMEWORK_PIPELINE_START,
            exception=CRUCIBLE_FRAMEWORK_PIPELINE_EXCEPTION,
        ),
        CRUCIBLE_FRAMEWORK_STAGE: LifecycleDefinition(
            span_name=CRUCIBLE_FRAMEWORK_STAGE,
            brief="One stage of a pipeline. A child of its pipeline.",
            stop=CRUCIBLE_FRAMEWORK_STAGE_STOP,
            start=CRUCIBLE_FRAMEWORK_STAGE_START,
            exception=CRUCIBLE_FRAMEWORK_STAGE_EXCEPTION,
        ),
        CRUCIBLE_TRAIN_TRAINING: LifecycleDefinition(
            span_name=CRUCIBLE_TRAIN_TRAINING,
            brief="One training of one model. Begins a trace of its own.",
            stop=CRUCIBLE_TRAIN_TRAINING_STOP,
            start=CRUCIBLE_TRAIN_TRAINING_START,
            exception=CRUCIBLE_TRAIN_TRAINING_EXCEPTION,
        ),
        CRUCIBLE_TRAIN_EPOCH: LifecycleDefinition(
            span_name=CRUCIBLE_TRAIN_EPOCH,
            brief="One pass over the data. Begins a trace of its own, linked to the training's.",
            stop=CRUCIBLE_TRAIN_EPOCH_STOP,
            start=CRUCIBLE_TRAIN_EPOCH_START,
            exception=CRUCIBLE_TRAIN_EPOCH_EXCEPTION,
        ),
        CRUCIBLE_TRAIN_BATCH: LifecycleDefinition(
            span_name=CRUCIBLE_TRAIN_BATCH,
            brief="One step of the optimiser. A child of its epoch.",
            stop=CRUCIBLE_TRAIN_BATCH_STOP,
        ),
    },
)
"""Spans that begin and end, by the name of the span."""

METRICS: Final[Mapping[str, MetricDefinition]] = MappingProxyType(
    {
        "system.cpu.utilization": MetricDefinition(
            name="system.cpu.utilization",
            unit="1",
            instrument=Instrument.GAUGE,
            brief="CPU time of the host that was not idle, 0 to 1, over the interval.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[CPU_MODE]),
            ),
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "system.memory.usage": MetricDefinition(
            name="system.memory.usage",
            unit="By",
            instrument=Instrument.UPDOWNCOUNTER,
            brief="Memory of the host in use.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[SYSTEM_MEMORY_STATE]),
            ),
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "system.memory.utilization": MetricDefinition(
            name="system.memory.utilization",
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Memory of the host in use, 0 to 1.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[SYSTEM_MEMORY_STATE]),
            ),
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "system.memory.limit": MetricDefinition(
            name="system.memory.limit",
            unit="By",
            instrument=Instrument.UPDOWNCOUNTER,
            brief="Memory of the host.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
            ),
        ),
        "system.disk.io": MetricDefinition(
            name="system.disk.io",
            unit="By",
            instrument=Instrument.COUNTER,
            brief="Bytes that the host read from and wrote to its disks.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[DISK_IO_DIRECTION]),
            ),
        ),
        "system.network.io": MetricDefinition(
            name="system.network.io",
            unit="By",
            instrument=Instrument.COUNTER,
            brief="Bytes that the host received and sent.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[NETWORK_IO_DIRECTION]),
            ),
        ),
        "process.cpu.utilization": MetricDefinition(
            name="process.cpu.utilization",
            unit="1",
            instrument=Instrument.GAUGE,
            brief="CPU time of the process over the time that all cores had, 0 to 1.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
            ),
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "process.cpu.time": MetricDefinition(
            name="process.cpu.time",
            unit="s",
            instrument=Instrument.COUNTER,
            brief="CPU time that the process has used.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[CPU_MODE]),
            ),
        ),
        "process.memory.usage": MetricDefinition(
            name="process.memory.usage",
            unit="By",
            instrument=Instrument.UPDOWNCOUNTER,
            brief="Physical memory of the process.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
            ),
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG),
        ),
        "process.memory.virtual": MetricDefinition(
            name="process.memory.virtual",
            unit="By",
            instrument=Instrument.UPDOWNCOUNTER,
            brief="Virtual memory of the process.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
            ),
        ),
        "process.thread.count": MetricDefinition(
            name="process.thread.count",
            unit="{thread}",
            instrument=Instrument.UPDOWNCOUNTER,
            brief="Threads of the process.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
            ),
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "hw.gpu.utilization": MetricDefinition(
            name="hw.gpu.utilization",
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Share of the time in which the GPU was computing, 0 to 1.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[HW_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[HW_NAME]),
                AttributeUse(ATTRIBUTES[HW_TYPE]),
                AttributeUse(ATTRIBUTES[HW_MODEL]),
                AttributeUse(ATTRIBUTES[HW_VENDOR]),
                AttributeUse(ATTRIBUTES[GPU_INDEX]),
                AttributeUse(ATTRIBUTES[HW_GPU_TASK]),
            ),
            watch=Watch(watch_class=WatchClass.THROUGHPUT, scale=WatchScale.LINEAR),
        ),
        "hw.gpu.memory.usage": MetricDefinition(
            name="hw.gpu.memory.usage",
            unit="By",
            instrument=Instrument.UPDOWNCOUNTER,
            brief="Memory of the GPU in use.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[HW_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[HW_NAME]),
                AttributeUse(ATTRIBUTES[HW_TYPE]),
                AttributeUse(ATTRIBUTES[HW_MODEL]),
                AttributeUse(ATTRIBUTES[HW_VENDOR]),
                AttributeUse(ATTRIBUTES[GPU_INDEX]),
            ),
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LOG),
        ),
        "hw.gpu.memory.utilization": MetricDefinition(
            name="hw.gpu.memory.utilization",
            unit="1",
            instrument=Instrument.GAUGE,
            brief="Memory of the GPU in use, 0 to 1.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[HW_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[HW_NAME]),
                AttributeUse(ATTRIBUTES[HW_TYPE]),
                AttributeUse(ATTRIBUTES[HW_MODEL]),
                AttributeUse(ATTRIBUTES[HW_VENDOR]),
                AttributeUse(ATTRIBUTES[GPU_INDEX]),
            ),
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "hw.gpu.memory.limit": MetricDefinition(
            name="hw.gpu.memory.limit",
            unit="By",
            instrument=Instrument.UPDOWNCOUNTER,
            brief="Memory of the GPU.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[HW_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[HW_NAME]),
                AttributeUse(ATTRIBUTES[HW_TYPE]),
                AttributeUse(ATTRIBUTES[HW_MODEL]),
                AttributeUse(ATTRIBUTES[HW_VENDOR]),
                AttributeUse(ATTRIBUTES[GPU_INDEX]),
            ),
        ),
        "hw.power": MetricDefinition(
            name="hw.power",
            unit="W",
            instrument=Instrument.GAUGE,
            brief="Power that the component draws.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[HW_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[HW_NAME]),
                AttributeUse(ATTRIBUTES[HW_TYPE]),
                AttributeUse(ATTRIBUTES[HW_MODEL]),
                AttributeUse(ATTRIBUTES[HW_VENDOR]),
                AttributeUse(ATTRIBUTES[GPU_INDEX]),
            ),
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
        "hw.energy": MetricDefinition(
            name="hw.energy",
            unit="J",
            instrument=Instrument.COUNTER,
            brief="Energy that the component has used.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[HW_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[HW_NAME]),
                AttributeUse(ATTRIBUTES[HW_TYPE]),
                AttributeUse(ATTRIBUTES[HW_MODEL]),
                AttributeUse(ATTRIBUTES[HW_VENDOR]),
                AttributeUse(ATTRIBUTES[GPU_INDEX]),
            ),
        ),
        "hw.temperature": MetricDefinition(
            name="hw.temperature",
            unit="Cel",
            instrument=Instrument.GAUGE,
            brief="Temperature of the component.",
            attributes=(
                AttributeUse(ATTRIBUTES[EXPERIMENT_ID]),
                AttributeUse(ATTRIBUTES[RUN_ID]),
                AttributeUse(ATTRIBUTES[CONDITION]),
                AttributeUse(ATTRIBUTES[CORRELATION_ID]),
                AttributeUse(ATTRIBUTES[RANK]),
                AttributeUse(ATTRIBUTES[HW_ID], Requirement.REQUIRED),
                AttributeUse(ATTRIBUTES[HW_NAME]),
                AttributeUse(ATTRIBUTES[HW_TYPE]),
                AttributeUse(ATTRIBUTES[HW_MODEL]),
                AttributeUse(ATTRIBUTES[HW_VENDOR]),
                AttributeUse(ATTRIBUTES[GPU_INDEX]),
            ),
            watch=Watch(watch_class=WatchClass.LEVEL, scale=WatchScale.LINEAR),
        ),
    },
)
"""OTLP metrics whose meaning is known, by name."""
