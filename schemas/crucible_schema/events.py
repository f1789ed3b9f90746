"""Every key and name that has a meaning here, as constants. Generated: do not edit.

`schemas/generate.py` makes it from `schemas/registry/*.yaml`: attribute keys, names of spans and
events, then enums. What the registry says about them is in the mappings re-exported here, which
are read in when first asked.
"""

from __future__ import annotations

import enum
from typing import Final

from crucible_schema.registry import ATTRIBUTES as ATTRIBUTES
from crucible_schema.registry import EVENTS as EVENTS
from crucible_schema.registry import LIFECYCLES as LIFECYCLES
from crucible_schema.registry import MEASUREMENTS as MEASUREMENTS
from crucible_schema.registry import METRICS as METRICS

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

INFERENCE_PARAMETERS: Final = "crucible.inference.parameters"
"""How the model was asked to answer, where that is one map."""

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
"""Tokens over the time they took: of an answer, or of a training."""

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

MEASUREMENT_TOTAL_TOKENS: Final = "crucible.measurement.total_tokens"
"""Tokens of a call, or of a training so far."""

MEASUREMENT_INPUT_COST_USD: Final = "crucible.measurement.input_cost_usd"
"""What the prompt cost."""

MEASUREMENT_OUTPUT_COST_USD: Final = "crucible.measurement.output_cost_usd"
"""What the answer cost."""

MEASUREMENT_TOTAL_SAMPLES: Final = "crucible.measurement.total_samples"
"""Samples worked through since the training began."""

MEASUREMENT_THROUGHPUT_TFLOPS: Final = "crucible.measurement.throughput_tflops"
"""Floating-point operations a second and device, in 10¹²."""

MEASUREMENT_STEP_DURATION_MS: Final = "crucible.measurement.step_duration_ms"
"""Time of one step."""

MEASUREMENT_SKIPPED_ITERATIONS: Final = "crucible.measurement.skipped_iterations"
"""Steps in which the optimiser did nothing, since a number was not finite."""

MEASUREMENT_NAN_ITERATIONS: Final = "crucible.measurement.nan_iterations"
"""Steps whose loss was not a number."""

MEASUREMENT_GPU_MEMORY_ALLOCATED_BYTES: Final = "crucible.measurement.gpu_memory_allocated_bytes"
"""Most memory of a GPU that was allocated at once."""

MEASUREMENT_PARAMETER_NORM: Final = "crucible.measurement.parameter_norm"
"""The norm of all parameters."""

MEASUREMENT_GRADIENT_ZEROS: Final = "crucible.measurement.gradient_zeros"
"""Gradients that are exactly zero."""

MEASUREMENT_LOSS_SCALE: Final = "crucible.measurement.loss_scale"
"""What the loss is multiplied by in reduced precision."""

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

JOB_ID: Final = "crucible.job.id"
"""The job's id."""

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
