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

LABELER_ID: Final = "crucible.labeler.id"
"""Who labels."""

ASSIGNMENT_ID: Final = "crucible.assignment.id"
"""A sample in the hands of a labeller."""

LABEL_DIMENSION: Final = "crucible.label.dimension"
"""What is judged."""

LABEL_RATER_COUNT: Final = "crucible.label.rater_count"
"""How many judged."""

EXPORT_ID: Final = "crucible.export.id"
"""The export."""

QUEUE_STATUS: Final = "crucible.queue.status"
"""The new state of the queue."""

QUEUE_PREVIOUS_STATUS: Final = "crucible.queue.previous_status"
"""The state of the queue before."""

LABEL_ERRORS: Final = "crucible.label.errors"
"""Why the label was refused, field by field."""

STORAGE_OPERATION: Final = "crucible.storage.operation"
"""What the database was asked for."""

SCHEMA_ID: Final = "crucible.schema.id"
"""The labels' schema."""

SCHEMA_PREVIOUS_VERSION: Final = "crucible.schema.previous_version"
"""The version of the labels' schema before."""

RETENTION_DAYS: Final = "crucible.retention.days"
"""How long records are kept."""

RETENTION_DRY_RUN: Final = "crucible.retention.dry_run"
"""Whether it was only counted what would be removed."""

RETENTION_PROCESS_PII: Final = "crucible.retention.process_pii"
"""Whether personal data in labels were looked through."""

SCHEMA_VERSION: Final = "crucible.schema.version"
"""The version of the labels' schema."""

MEASUREMENT_AGREEMENT_SCORE: Final = "crucible.measurement.agreement_score"
"""How far labellers agree; 1 is wholly."""

MEASUREMENT_ERROR_COUNT: Final = "crucible.measurement.error_count"
"""Errors that were found."""

MEASUREMENT_VALID_COUNT: Final = "crucible.measurement.valid_count"
"""1 where the schema is valid, else 0."""

MEASUREMENT_TIMED_OUT_COUNT: Final = "crucible.measurement.timed_out_count"
"""Assignments that took too long."""

MEASUREMENT_REQUEUED_COUNT: Final = "crucible.measurement.requeued_count"
"""Assignments that were handed back to the queue."""

MEASUREMENT_AUDIT_LOGS_DELETED: Final = "crucible.measurement.audit_logs_deleted"
"""Records of the audit log that were removed."""

MEASUREMENT_LABELS_PROCESSED: Final = "crucible.measurement.labels_processed"
"""Labels whose personal data were removed."""

MEASUREMENT_ROWS_PROCESSED: Final = "crucible.measurement.rows_processed"
"""Rows that went through."""

CAUSAL_EVENT_TYPE: Final = "crucible.causal.event_type"
"""What kind of decision it is."""

CAUSAL_DECISION: Final = "crucible.causal.decision"
"""What was decided."""

CAUSAL_STAGE_ID: Final = "crucible.causal.stage_id"
"""The stage of the chain."""

CAUSAL_CHAIN_ID: Final = "crucible.causal.chain_id"
"""The chain."""

CAUSAL_CHAIN_NAME: Final = "crucible.causal.chain_name"
"""The chain's name."""

JOB_NAMESPACE: Final = "crucible.job.namespace"
"""Where the job belongs."""

JOB_KIND: Final = "crucible.job.kind"
"""What kind of work it is."""

JOB_PRIORITY: Final = "crucible.job.priority"
"""How urgent it is."""

JOB_RESULT: Final = "crucible.job.result"
"""What the job returned."""

API_PARAMS: Final = "crucible.api.params"
"""What was asked for."""

API_PAYLOAD: Final = "crucible.api.payload"
"""What was sent. Content; sent only where the user asks for it."""

DATASET_SOURCE: Final = "crucible.dataset.source"
"""Where the data set comes from."""

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

ENSEMBLE_MODELS: Final = "crucible.ensemble.models"
"""The models that are asked."""

ENSEMBLE_QUERY_LENGTH: Final = "crucible.ensemble.query_length"
"""Characters of the query."""

ENSEMBLE_METHOD: Final = "crucible.ensemble.method"
"""How votes are counted."""

MEASUREMENT_CONSENSUS: Final = "crucible.measurement.consensus"
"""The share of models that agree, 0 to 1."""

MEASUREMENT_CLUSTER_COUNT: Final = "crucible.measurement.cluster_count"
"""Groups of like answers."""

MEASUREMENT_WINNER_SIZE: Final = "crucible.measurement.winner_size"
"""Answers in the group that won."""

MEASUREMENT_ROUNDS: Final = "crucible.measurement.rounds"
"""Rounds that the vote took."""

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
"""How long the answer took."""

FEEDBACK_ERRORS: Final = "crucible.feedback.errors"
"""Why it was refused, field by field."""

MEASUREMENT_QUALITY_SCORE: Final = "crucible.measurement.quality_score"
"""Quality of the data, 0 to 1."""

MEASUREMENT_CHECK_COUNT: Final = "crucible.measurement.check_count"
"""Checks that were made."""

PIPELINE_NAME: Final = "crucible.pipeline.name"
"""The pipeline's name."""

FORGE_MEASUREMENT_KEY: Final = "crucible.forge.measurement_key"
"""What is measured of a sample."""

FORGE_MEASUREMENT_VERSION: Final = "crucible.forge.measurement_version"
"""The version of the measurement."""

FORGE_STORAGE_BACKEND: Final = "crucible.forge.storage_backend"
"""Where samples are stored."""

FORGE_DEDUPLICATION: Final = "crucible.forge.deduplication"
"""Whether it was there already."""

MEASUREMENT_SAMPLES_PROCESSED: Final = "crucible.measurement.samples_processed"
"""Samples that went through."""

PIPELINE_ID: Final = "crucible.pipeline.id"
"""The pipeline's id; the run's where it has none of its own."""

PIPELINE_CONFIG: Final = "crucible.pipeline.config"
"""How the pipeline is set up."""

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

GEN_AI_TOKEN_TYPE: Final = "gen_ai.token.type"
"""Whose tokens they are, the prompt's or the answer's."""

ERROR_TYPE: Final = "error.type"
"""What went wrong; not there where nothing did."""

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

HARNESS_REPEAT: Final = "crucible.harness.repeat"
"""Which repetition this is."""

HARNESS_ENGINE: Final = "crucible.harness.engine"
"""What runs the tasks."""

HARNESS_ORDERED: Final = "crucible.harness.ordered"
"""Whether results come in the order of the tasks."""

MEASUREMENT_MAX_CONCURRENCY: Final = "crucible.measurement.max_concurrency"
"""Tasks at a time, at most."""

MEASUREMENT_TIMEOUT_MS: Final = "crucible.measurement.timeout_ms"
"""How long a task may take."""

HEDGING_HEDGED: Final = "crucible.hedging.hedged"
"""Whether a second request was sent."""

HEDGING_HEDGE_WON: Final = "crucible.hedging.hedge_won"
"""Whether the second request answered first."""

HEDGING_TIER: Final = "crucible.hedging.tier"
"""The tier."""

HEDGING_RESULTS: Final = "crucible.hedging.results"
"""What every tier answered. Content; sent only where the user asks for it."""

MEASUREMENT_PRIMARY_LATENCY_MS: Final = "crucible.measurement.primary_latency_ms"
"""How long the first request took."""

MEASUREMENT_BACKUP_LATENCY_MS: Final = "crucible.measurement.backup_latency_ms"
"""How long the second request took."""

MEASUREMENT_HEDGE_DELAY_MS: Final = "crucible.measurement.hedge_delay_ms"
"""How long the first request was waited for before the second."""

MEASUREMENT_RELATIVE_COST: Final = "crucible.measurement.relative_cost"
"""Cost in units of one request: 1 without a second one, 2 with it."""

MEASUREMENT_TIER_COUNT: Final = "crucible.measurement.tier_count"
"""Tiers that there are."""

MEASUREMENT_TIER_INDEX: Final = "crucible.measurement.tier_index"
"""The tier's place, from 0."""

MEASUREMENT_HEDGES_FIRED: Final = "crucible.measurement.hedges_fired"
"""Further requests that were sent."""

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

COHORT: Final = "crucible.cohort"
"""The group of users or samples that this belongs to, across conditions."""

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

DPO_BETA: Final = "crucible.dpo.beta"
"""How firmly the policy is held to its reference."""

RL_ENV_TYPE: Final = "crucible.rl.env_type"
"""The environment."""

RL_ROLLOUT_INDEX: Final = "crucible.rl.rollout_index"
"""Which rollout this is."""

MEASUREMENT_F1: Final = "crucible.measurement.f1"
"""The harmonic mean of precision and recall, 0 to 1."""

MEASUREMENT_PRECISION: Final = "crucible.measurement.precision"
"""The share of what was found that is right, 0 to 1."""

MEASUREMENT_RECALL: Final = "crucible.measurement.recall"
"""The share of what is right that was found, 0 to 1."""

MEASUREMENT_PERPLEXITY: Final = "crucible.measurement.perplexity"
"""How surprised the model is by held-out text."""

MEASUREMENT_NUM_PAIRS: Final = "crucible.measurement.num_pairs"
"""Pairs of a preferred and a rejected answer."""

MEASUREMENT_NUM_BATCHES: Final = "crucible.measurement.num_batches"
"""Batches."""

MEASUREMENT_GROUP_SIZE: Final = "crucible.measurement.group_size"
"""Environments of a group."""

MEASUREMENT_GROUPS_PER_BATCH: Final = "crucible.measurement.groups_per_batch"
"""Groups of a batch."""

MEASUREMENT_NUM_TRAJECTORIES: Final = "crucible.measurement.num_trajectories"
"""Trajectories."""

MEASUREMENT_ENVIRONMENT_STEPS: Final = "crucible.measurement.environment_steps"
"""Steps taken in environments."""

MEASUREMENT_ADVANTAGE_MEAN: Final = "crucible.measurement.advantage_mean"
"""Mean advantage."""

MEASUREMENT_ADVANTAGE_STD: Final = "crucible.measurement.advantage_std"
"""Standard deviation of the advantage."""

MEASUREMENT_NUM_STEPS: Final = "crucible.measurement.num_steps"
"""Steps that advantages were computed for."""

MEASUREMENT_NUM_SEQUENCES: Final = "crucible.measurement.num_sequences"
"""Sequences that were learned from."""

MEASUREMENT_TEACHER_NUM_SAMPLES: Final = "crucible.measurement.teacher_num_samples"
"""Samples that the teacher gave."""

MEASUREMENT_TEACHER_NUM_TOKENS: Final = "crucible.measurement.teacher_num_tokens"
"""Tokens that the teacher gave."""

FEEDBACK_TRIGGERS: Final = "crucible.feedback.triggers"
"""What calls for a new training."""

FEEDBACK_SHOULD_RETRAIN: Final = "crucible.feedback.should_retrain"
"""Whether there should be a new training."""

FEEDBACK_BY_SOURCE: Final = "crucible.feedback.by_source"
"""How many from where."""

GUARD_SAFE: Final = "crucible.guard.safe"
"""Whether nothing was found."""

GUARD_FAILED: Final = "crucible.guard.failed"
"""Whether the check itself failed."""

GUARD_DETECTOR: Final = "crucible.guard.detector"
"""The detector."""

GUARD_DETECTED: Final = "crucible.guard.detected"
"""Whether it found something."""

GUARD_CATEGORY: Final = "crucible.guard.category"
"""What it found."""

GUARD_CACHE_TYPE: Final = "crucible.guard.cache_type"
"""Which cache."""

GUARD_CACHE_HIT: Final = "crucible.guard.cache_hit"
"""Whether it was in the cache."""

MEASUREMENT_DETECTION_COUNT: Final = "crucible.measurement.detection_count"
"""Things that were found."""

MEASUREMENT_DETECTOR_COUNT: Final = "crucible.measurement.detector_count"
"""Detectors that looked."""

MEASUREMENT_LOSS: Final = "crucible.measurement.loss"
"""The loss: on training data, where a training reports it."""

MEASUREMENT_ACCURACY: Final = "crucible.measurement.accuracy"
"""The share of right answers, 0 to 1: on training data, where a training reports it."""

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

MODEL_ID: Final = "crucible.model.id"
"""The model's id."""

MODEL_VERSION_ID: Final = "crucible.model.version_id"
"""The version's id."""

MODEL_STAGE: Final = "crucible.model.stage"
"""How far the version has come."""

GATEWAY_SERVICE: Final = "crucible.gateway.service"
"""The service that it goes to."""

REGISTERED_SERVICE_NAME: Final = "crucible.registered.service_name"
"""The service's name."""

REGISTERED_SERVICE_ID: Final = "crucible.registered.service_id"
"""The instance of it."""

REGISTERED_STATUS: Final = "crucible.registered.status"
"""Its state."""

REGISTERED_OLD_STATUS: Final = "crucible.registered.old_status"
"""Its state before."""

JOB_STATUS: Final = "crucible.job.status"
"""The state of the job."""

SCHEDULER_DECISION: Final = "crucible.scheduler.decision"
"""What the scheduler decided."""

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

HTTP_REQUEST_METHOD: Final = "http.request.method"
"""The request's method."""

URL_FULL: Final = "url.full"
"""Where the request went."""

URL_PATH: Final = "url.path"
"""The path of where it went."""

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

REQUEST_MODE: Final = "crucible.request.mode"
"""Whether the answer comes at once or as a stream."""

REQUEST_TRANSPORT: Final = "crucible.request.transport"
"""What carries it."""

REQUEST_REASONING: Final = "crucible.request.reasoning"
"""How the model is to reason."""

REQUEST_SUMMARY: Final = "crucible.request.summary"
"""What was sent, in numbers."""

RESPONSE_SUMMARY: Final = "crucible.response.summary"
"""What came back, in numbers."""

SUCCESS: Final = "crucible.success"
"""Whether it succeeded."""

RESULT: Final = "crucible.result"
"""What came of it, in a word."""

OUTCOME: Final = "crucible.outcome"
"""How it ended."""

ERROR_CATEGORY: Final = "crucible.error.category"
"""The kind of error by its cause."""

RETRY_ATTEMPT: Final = "crucible.retry.attempt"
"""Which attempt this is."""

RETRY_ERROR: Final = "crucible.retry.error"
"""What made the attempt fail."""

SAMPLE_ID: Final = "crucible.sample.id"
"""The sample."""

FORMAT: Final = "crucible.format"
"""The format that was written."""

OUTPUT_PATH: Final = "crucible.output.path"
"""Where it was written."""

ARTIFACT_ID: Final = "crucible.artifact.id"
"""The artifact."""

ARTIFACT_KEY: Final = "crucible.artifact.key"
"""Where the artifact lies in its store."""

QUEUE_NAME: Final = "crucible.queue.name"
"""The queue."""

QUEUE_ID: Final = "crucible.queue.id"
"""The id of the queue."""

WORKER_ID: Final = "crucible.worker.id"
"""Who worked on it."""

THRESHOLD: Final = "crucible.threshold"
"""The value at which it would have been otherwise."""

METRIC: Final = "crucible.metric"
"""The number that it is about."""

STRATEGY: Final = "crucible.strategy"
"""How it is done, of several ways."""

MEASUREMENT_ITEM_COUNT: Final = "crucible.measurement.item_count"
"""Items that there were."""

MEASUREMENT_RESULT_COUNT: Final = "crucible.measurement.result_count"
"""Results that there were."""

MEASUREMENT_SUCCESS_COUNT: Final = "crucible.measurement.success_count"
"""Calls that succeeded."""

MEASUREMENT_FAILURE_COUNT: Final = "crucible.measurement.failure_count"
"""Calls that failed."""

MEASUREMENT_RETRY_COUNT: Final = "crucible.measurement.retry_count"
"""Times it was tried again."""

MEASUREMENT_RETRY_DELAY_MS: Final = "crucible.measurement.retry_delay_ms"
"""How long it waits before the next attempt."""

MEASUREMENT_CONFIDENCE: Final = "crucible.measurement.confidence"
"""How sure it is, 0 to 1."""

MEASUREMENT_STORED_SIZE_BYTES: Final = "crucible.measurement.stored_size_bytes"
"""Size of what was stored or loaded."""

MEASUREMENT_EVENT_COUNT: Final = "crucible.measurement.event_count"
"""Events that it holds."""

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

HTTP_BASE_URL: Final = "crucible.http.base_url"
"""The address of the service."""

HTTP_POOL_TYPE: Final = "crucible.http.pool_type"
"""Which pool of connections it goes through."""

QUEUE_STATE: Final = "crucible.queue.state"
"""The state of the queue."""

QUEUE_STATE_REASON: Final = "crucible.queue.state_reason"
"""Why it is in that state."""

FUTURE_REQUEST_TYPE: Final = "crucible.future.request_type"
"""What was asked for."""

FUTURE_ITERATION: Final = "crucible.future.iteration"
"""Which poll this is."""

RECOVERY_CLIENT_PID: Final = "crucible.recovery.client_pid"
"""The process of the client that was made anew."""

LOSS_REGULARIZER: Final = "crucible.loss.regularizer"
"""The regulariser."""

LOSS_REGULARIZER_COUNT: Final = "crucible.loss.regularizer_count"
"""Regularisers that there are."""

LOSS_TRACK_GRAD_NORMS: Final = "crucible.loss.track_grad_norms"
"""Whether norms of gradients are computed."""

LOSS_WEIGHT: Final = "crucible.loss.weight"
"""The regulariser's weight."""

LOSS_ASYNC: Final = "crucible.loss.async"
"""Whether it is computed at the same time as the others."""

MEASUREMENT_LOSS_TOTAL: Final = "crucible.measurement.loss_total"
"""The loss, regularisers included."""

MEASUREMENT_REGULARIZER_TOTAL: Final = "crucible.measurement.regularizer_total"
"""What all regularisers add to the loss."""

MEASUREMENT_REGULARIZER_VALUE: Final = "crucible.measurement.regularizer_value"
"""The regulariser's value."""

MEASUREMENT_REGULARIZER_CONTRIBUTION: Final = "crucible.measurement.regularizer_contribution"
"""Its value times its weight."""

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

ANVIL_ASSIGNMENT_DISPATCH: Final = "anvil.assignment.dispatch"
"""A sample being handed out."""

ANVIL_LABEL_SUBMIT: Final = "anvil.label.submit"
"""A label being submitted."""

ANVIL_AGREEMENT_COMPUTE: Final = "anvil.agreement.compute"
"""Agreement being computed."""

ANVIL_AGREEMENT_BATCH_RECOMPUTE: Final = "anvil.agreement.batch_recompute"
"""Agreement of several samples being computed anew."""

ANVIL_EXPORT_GENERATE: Final = "anvil.export.generate"
"""Labels being exported."""

ANVIL_STORAGE_QUERY: Final = "anvil.storage.query"
"""The database being asked."""

CRUCIBLE_DATASETS_LOAD: Final = "crucible_datasets.load"
"""A data set being loaded."""

CRUCIBLE_DEPLOYMENT_INFERENCE: Final = "crucible_deployment.inference"
"""One call of a model."""

CRUCIBLE_ENSEMBLE_PREDICT: Final = "crucible_ensemble.predict"
"""A prediction by several models."""

CRUCIBLE_ENSEMBLE_EXECUTOR: Final = "crucible_ensemble.executor"
"""The models being asked, all together."""

CRUCIBLE_ENSEMBLE_MODEL: Final = "crucible_ensemble.model"
"""One model being asked."""

CRUCIBLE_TELEMETRY_EXPERIMENT: Final = "crucible_telemetry.experiment"
"""One stretch of work on an experiment, under one condition. Begins a trace of its own."""

FORGE_PIPELINE: Final = "forge.pipeline"
"""A pipeline making samples."""

FORGE_STAGE: Final = "forge.stage"
"""A sample in a stage."""

FORGE_MEASUREMENT: Final = "forge.measurement"
"""A sample being measured."""

CRUCIBLE_FRAMEWORK_PIPELINE: Final = "crucible_framework.pipeline"
"""One execution of a pipeline."""

CRUCIBLE_FRAMEWORK_STAGE: Final = "crucible_framework.stage"
"""One stage of a pipeline. A child of its pipeline."""

RESEARCH_HARNESS_RUNNER_ASYNC_STREAM: Final = "research_harness.runner.async_stream"
"""Tasks run as one stream."""

CRUCIBLE_HEDGING_REQUEST: Final = "crucible_hedging.request"
"""A request, hedged or not."""

CRUCIBLE_HEDGING_MULTI_LEVEL: Final = "crucible_hedging.multi_level"
"""A request that goes through several tiers."""

CRUCIBLE_HEDGING_MULTI_LEVEL_TIER: Final = "crucible_hedging.multi_level.tier"
"""One tier of such a request."""

NSAI_REGISTRY_REGISTER: Final = "nsai_registry.register"
"""A service being announced."""

NSAI_REGISTRY_DEREGISTER: Final = "nsai_registry.deregister"
"""A service being taken off."""

NSAI_REGISTRY_LOOKUP: Final = "nsai_registry.lookup"
"""A service being looked for."""

NSAI_REGISTRY_HEALTH_CHECK: Final = "nsai_registry.health_check"
"""A service being checked."""

REQ_LLM_REQUEST: Final = "req_llm.request"
"""A call of a language model."""

REQ_LLM_REASONING: Final = "req_llm.reasoning"
"""A model reasoning before it answers."""

TINKEX_HTTP_REQUEST: Final = "tinkex.http.request"
"""A request to the service."""

TINKEX_RETRY_ATTEMPT: Final = "tinkex.retry.attempt"
"""One attempt of several."""

TINKEX_CUSTOM_LOSS: Final = "tinkex.custom_loss"
"""A loss with regularisers being computed."""

TINKEX_REGULARIZER_COMPUTE: Final = "tinkex.regularizer.compute"
"""One regulariser being computed."""

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

ANVIL_QUEUE_CREATED: Final = "anvil.queue.created"
"""A queue was made."""

ANVIL_QUEUE_STATUS_CHANGED: Final = "anvil.queue.status_changed"
"""A queue changed its state."""

ANVIL_ASSIGNMENT_DISPATCH_START: Final = "anvil.assignment.dispatch.start"
"""A sample is to be handed out."""

ANVIL_ASSIGNMENT_DISPATCH_STOP: Final = "anvil.assignment.dispatch.stop"
"""A sample was handed out."""

ANVIL_ASSIGNMENT_DISPATCH_EXCEPTION: Final = "anvil.assignment.dispatch.exception"
"""No sample could be handed out."""

ANVIL_ASSIGNMENT_CREATED: Final = "anvil.assignment.created"
"""An assignment was made."""

ANVIL_ASSIGNMENT_COMPLETED: Final = "anvil.assignment.completed"
"""An assignment is done."""

ANVIL_ASSIGNMENT_EXPIRED: Final = "anvil.assignment.expired"
"""An assignment was taken back."""

ANVIL_ASSIGNMENT_TIMED_OUT: Final = "anvil.assignment.timed_out"
"""Assignments took too long."""

ANVIL_LABEL_SUBMIT_START: Final = "anvil.label.submit.start"
"""A label is submitted."""

ANVIL_LABEL_SUBMIT_STOP: Final = "anvil.label.submit.stop"
"""A label was submitted."""

ANVIL_LABEL_SUBMIT_EXCEPTION: Final = "anvil.label.submit.exception"
"""A label could not be submitted."""

ANVIL_LABEL_VALIDATION_FAILED: Final = "anvil.label.validation_failed"
"""A label does not fit its schema."""

ANVIL_AGREEMENT_COMPUTE_START: Final = "anvil.agreement.compute.start"
"""Agreement is computed."""

ANVIL_AGREEMENT_COMPUTE_STOP: Final = "anvil.agreement.compute.stop"
"""Agreement was computed."""

ANVIL_AGREEMENT_COMPUTE_EXCEPTION: Final = "anvil.agreement.compute.exception"
"""Agreement could not be computed."""

ANVIL_AGREEMENT_LOW_SCORE: Final = "anvil.agreement.low_score"
"""Labellers agree too little: less than 0.6."""

ANVIL_AGREEMENT_BATCH_RECOMPUTE_START: Final = "anvil.agreement.batch_recompute.start"
"""Agreement is computed anew."""

ANVIL_AGREEMENT_BATCH_RECOMPUTE_STOP: Final = "anvil.agreement.batch_recompute.stop"
"""Agreement was computed anew."""

ANVIL_AGREEMENT_BATCH_RECOMPUTE_EXCEPTION: Final = "anvil.agreement.batch_recompute.exception"
"""Agreement could not be computed anew."""

ANVIL_EXPORT_GENERATE_START: Final = "anvil.export.generate.start"
"""An export begins."""

ANVIL_EXPORT_GENERATE_STOP: Final = "anvil.export.generate.stop"
"""An export was written."""

ANVIL_EXPORT_GENERATE_EXCEPTION: Final = "anvil.export.generate.exception"
"""An export was ended by an exception."""

ANVIL_EXPORT_PROGRESS: Final = "anvil.export.progress"
"""Another hundred rows were written."""

ANVIL_EXPORT_COMPLETED: Final = "anvil.export.completed"
"""An export is there."""

ANVIL_EXPORT_FAILED: Final = "anvil.export.failed"
"""An export failed."""

ANVIL_STORAGE_QUERY_START: Final = "anvil.storage.query.start"
"""The database is asked."""

ANVIL_STORAGE_QUERY_STOP: Final = "anvil.storage.query.stop"
"""The database answered."""

ANVIL_STORAGE_QUERY_EXCEPTION: Final = "anvil.storage.query.exception"
"""The database failed."""

ANVIL_SCHEMA_VALIDATION: Final = "anvil.schema.validation"
"""A schema was checked."""

ANVIL_SCHEMA_MIGRATION: Final = "anvil.schema.migration"
"""Labels were brought to another schema."""

ANVIL_FORGE_BRIDGE_FETCH_SAMPLE: Final = "anvil.forge_bridge.fetch_sample"
"""A sample was fetched from forge."""

ANVIL_FORGE_BRIDGE_FETCH_SAMPLES: Final = "anvil.forge_bridge.fetch_samples"
"""Samples were fetched from forge."""

ANVIL_FORGE_BRIDGE_CACHE_HIT: Final = "anvil.forge_bridge.cache_hit"
"""A sample of forge was in the cache."""

ANVIL_FORGE_BRIDGE_CACHE_MISS: Final = "anvil.forge_bridge.cache_miss"
"""A sample of forge was not in the cache."""

ANVIL_WORKERS_AGREEMENT_RECOMPUTE_STARTED: Final = "anvil.workers.agreement_recompute.started"
"""The worker began: agreement is computed anew."""

ANVIL_WORKERS_AGREEMENT_RECOMPUTE_COMPLETED: Final = "anvil.workers.agreement_recompute.completed"
"""The worker is done: agreement is computed anew."""

ANVIL_WORKERS_TIMEOUT_CHECKER_STARTED: Final = "anvil.workers.timeout_checker.started"
"""The worker began: assignments that took too long are looked for."""

ANVIL_WORKERS_TIMEOUT_CHECKER_COMPLETED: Final = "anvil.workers.timeout_checker.completed"
"""The worker is done: assignments that took too long are looked for."""

ANVIL_WORKERS_RETENTION_SWEEP_STARTED: Final = "anvil.workers.retention_sweep.started"
"""The worker began: what is too old is removed."""

ANVIL_WORKERS_RETENTION_SWEEP_COMPLETED: Final = "anvil.workers.retention_sweep.completed"
"""The worker is done: what is too old is removed."""

ANVIL_WORKERS_AGREEMENT_RECOMPUTE_SAMPLE_COMPUTED: Final = (
    "anvil.workers.agreement_recompute.sample_computed"
)
"""The agreement of one sample was computed anew."""

CRUCIBLE_TRACE_EVENT_CREATED: Final = "crucible_trace.event.created"
"""A decision was recorded."""

CRUCIBLE_TRACE_CHAIN_CREATED: Final = "crucible_trace.chain.created"
"""A chain was begun."""

CRUCIBLE_TRACE_CHAIN_SAVED: Final = "crucible_trace.chain.saved"
"""A chain was saved."""

CRUCIBLE_TRACE_CHAIN_LOADED: Final = "crucible_trace.chain.loaded"
"""A chain was loaded."""

EXPERIMENT_SUBMITTED: Final = "crucible.experiment.submitted"
"""An experiment was handed to the scheduler."""

STAGE_STARTED: Final = "crucible.stage.started"
"""A stage began."""

STAGE_COMPLETED: Final = "crucible.stage.completed"
"""A stage came to its end."""

STAGE_FAILED: Final = "crucible.stage.failed"
"""A stage failed."""

STAGE_BACKEND_STARTED: Final = "crucible.stage.backend_started"
"""The backend took a stage up."""

STAGE_BACKEND_COMPLETED: Final = "crucible.stage.backend_completed"
"""The backend finished a stage."""

STAGE_BACKEND_FAILED: Final = "crucible.stage.backend_failed"
"""The backend failed at a stage."""

STAGE_BACKEND_STOPPED: Final = "crucible.stage.backend_stopped"
"""The backend let go of a stage."""

CNS_UI_API_LIST_RUNS: Final = "cns_ui.api.list_runs"
"""Runs were listed."""

CNS_UI_API_CREATE_RUN: Final = "cns_ui.api.create_run"
"""A run was asked for."""

CNS_UI_API_STREAM_RUN: Final = "cns_ui.api.stream_run"
"""A run was followed."""

CRUCIBLE_DATASETS_LOAD_START: Final = "crucible_datasets.load.start"
"""A data set is asked for."""

CRUCIBLE_DATASETS_LOAD_STOP: Final = "crucible_datasets.load.stop"
"""A data set was loaded, or an error was returned."""

CRUCIBLE_DATASETS_LOAD_EXCEPTION: Final = "crucible_datasets.load.exception"
"""Loading a data set was ended by an exception."""

CRUCIBLE_DATASETS_CACHE_HIT: Final = "crucible_datasets.cache.hit"
"""A data set was in the cache."""

CRUCIBLE_DATASETS_CACHE_MISS: Final = "crucible_datasets.cache.miss"
"""A data set was not in the cache."""

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

CRUCIBLE_ENSEMBLE_PREDICT_START: Final = "crucible_ensemble.predict.start"
"""A prediction begins."""

CRUCIBLE_ENSEMBLE_PREDICT_STOP: Final = "crucible_ensemble.predict.stop"
"""A prediction was made."""

CRUCIBLE_ENSEMBLE_PREDICT_EXCEPTION: Final = "crucible_ensemble.predict.exception"
"""A prediction failed."""

CRUCIBLE_ENSEMBLE_EXECUTOR_START: Final = "crucible_ensemble.executor.start"
"""The models are asked."""

CRUCIBLE_ENSEMBLE_EXECUTOR_STOP: Final = "crucible_ensemble.executor.stop"
"""All models have answered or failed."""

CRUCIBLE_ENSEMBLE_MODEL_START: Final = "crucible_ensemble.model.start"
"""A model is asked."""

CRUCIBLE_ENSEMBLE_MODEL_STOP: Final = "crucible_ensemble.model.stop"
"""A model answered."""

CRUCIBLE_ENSEMBLE_MODEL_EXCEPTION: Final = "crucible_ensemble.model.exception"
"""A model failed to answer."""

CRUCIBLE_ENSEMBLE_VOTE_COMPLETE: Final = "crucible_ensemble.vote.complete"
"""Votes were counted."""

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

CRUCIBLE_FEEDBACK_INGESTION_FLUSH: Final = "crucible_feedback.ingestion.flush"
"""Feedback that had come together was stored."""

CRUCIBLE_FEEDBACK_INGESTION_INVALID: Final = "crucible_feedback.ingestion.invalid"
"""Feedback was refused."""

CRUCIBLE_FEEDBACK_QUALITY_ASSESS: Final = "crucible_feedback.quality.assess"
"""The quality of feedback was assessed."""

CRUCIBLE_FEEDBACK_CURATION_RUN: Final = "crucible_feedback.curation.run"
"""Feedback was picked for training."""

CRUCIBLE_FEEDBACK_EXPORT_COMPLETE: Final = "crucible_feedback.export.complete"
"""Feedback was exported."""

FORGE_PIPELINE_START: Final = "forge.pipeline.start"
"""A pipeline begins."""

FORGE_PIPELINE_STOP: Final = "forge.pipeline.stop"
"""A pipeline came to its end."""

FORGE_PIPELINE_EXCEPTION: Final = "forge.pipeline.exception"
"""A pipeline was ended by an exception."""

FORGE_STAGE_START: Final = "forge.stage.start"
"""A stage takes a sample."""

FORGE_STAGE_STOP: Final = "forge.stage.stop"
"""A stage is done with a sample."""

FORGE_STAGE_RETRY: Final = "forge.stage.retry"
"""A stage tries a sample again."""

FORGE_MEASUREMENT_START: Final = "forge.measurement.start"
"""A sample is measured."""

FORGE_MEASUREMENT_STOP: Final = "forge.measurement.stop"
"""A sample was measured."""

FORGE_MEASUREMENT_BATCH_COMPLETE: Final = "forge.measurement.batch_complete"
"""Several samples were measured."""

FORGE_STORAGE_SAMPLE_WRITE: Final = "forge.storage.sample_write"
"""A sample was stored."""

FORGE_STORAGE_ARTIFACT_UPLOAD: Final = "forge.storage.artifact_upload"
"""An artifact was stored."""

FORGE_STORAGE_ARTIFACT_DOWNLOAD: Final = "forge.storage.artifact_download"
"""An artifact was read."""

FORGE_DLQ_ENQUEUE: Final = "forge.dlq.enqueue"
"""A sample that cannot be worked on was set aside."""

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

RESEARCH_HARNESS_TASK_COMPLETE: Final = "research_harness.task.complete"
"""A task came to its end, well or not."""

RESEARCH_HARNESS_RUNNER_ASYNC_STREAM_START: Final = "research_harness.runner.async_stream.start"
"""The stream begins."""

RESEARCH_HARNESS_RUNNER_ASYNC_STREAM_COMPLETE: Final = (
    "research_harness.runner.async_stream.complete"
)
"""The stream is at its end."""

CRUCIBLE_HEDGING_REQUEST_START: Final = "crucible_hedging.request.start"
"""A request is sent."""

CRUCIBLE_HEDGING_REQUEST_STOP: Final = "crucible_hedging.request.stop"
"""A request was answered."""

CRUCIBLE_HEDGING_REQUEST_EXCEPTION: Final = "crucible_hedging.request.exception"
"""A request failed."""

CRUCIBLE_HEDGING_HEDGE_FIRED: Final = "crucible_hedging.hedge.fired"
"""A second request was sent."""

CRUCIBLE_HEDGING_HEDGE_WON: Final = "crucible_hedging.hedge.won"
"""The second request answered first."""

CRUCIBLE_HEDGING_REQUEST_CANCELLED: Final = "crucible_hedging.request.cancelled"
"""The slower request was cancelled."""

CRUCIBLE_HEDGING_MULTI_LEVEL_START: Final = "crucible_hedging.multi_level.start"
"""A request through tiers is sent."""

CRUCIBLE_HEDGING_MULTI_LEVEL_STOP: Final = "crucible_hedging.multi_level.stop"
"""A request through tiers was answered."""

CRUCIBLE_HEDGING_MULTI_LEVEL_EXCEPTION: Final = "crucible_hedging.multi_level.exception"
"""A request through tiers failed."""

CRUCIBLE_HEDGING_MULTI_LEVEL_TIER_START: Final = "crucible_hedging.multi_level.tier.start"
"""A tier is asked."""

CRUCIBLE_HEDGING_MULTI_LEVEL_TIER_COMPLETED: Final = "crucible_hedging.multi_level.tier.completed"
"""A tier answered."""

CRUCIBLE_HEDGING_MULTI_LEVEL_TIER_TIMEOUT: Final = "crucible_hedging.multi_level.tier.timeout"
"""A tier did not answer in time."""

CRUCIBLE_HEDGING_MULTI_LEVEL_TIER_CANCELLED: Final = "crucible_hedging.multi_level.tier.cancelled"
"""A tier was cancelled, since another had answered."""

CRUCIBLE_KITCHEN_EVAL_COMPLETE: Final = "crucible_kitchen.eval.complete"
"""A model was evaluated."""

CRUCIBLE_KITCHEN_MODEL_REGISTERED: Final = "crucible_kitchen.model.registered"
"""A model was registered."""

CRUCIBLE_KITCHEN_DPO_DATASET_BUILT: Final = "crucible_kitchen.dpo.dataset_built"
"""Pairs to learn from were made."""

CRUCIBLE_KITCHEN_DPO_STEP: Final = "crucible_kitchen.dpo.step"
"""A step of learning from preferences."""

CRUCIBLE_KITCHEN_RL_ENV_GROUP_BUILT: Final = "crucible_kitchen.rl.env_group_built"
"""Environments were made."""

CRUCIBLE_KITCHEN_RL_ROLLOUT_COMPLETE: Final = "crucible_kitchen.rl.rollout_complete"
"""A rollout came to its end."""

CRUCIBLE_KITCHEN_RL_ADVANTAGES_COMPUTED: Final = "crucible_kitchen.rl.advantages_computed"
"""Advantages were computed."""

CRUCIBLE_KITCHEN_RL_BATCH_ASSEMBLED: Final = "crucible_kitchen.rl.batch_assembled"
"""A batch of trajectories was put together."""

CRUCIBLE_KITCHEN_RL_STEP: Final = "crucible_kitchen.rl.step"
"""A step of learning from rewards."""

CRUCIBLE_KITCHEN_DISTILLATION_STEP: Final = "crucible_kitchen.distillation.step"
"""A step of learning from a teacher."""

CRUCIBLE_KITCHEN_FEEDBACK_TRIGGERS_CHECKED: Final = "crucible_kitchen.feedback.triggers_checked"
"""It was checked whether a new training is called for."""

CRUCIBLE_KITCHEN_FEEDBACK_DATA_CURATED: Final = "crucible_kitchen.feedback.data_curated"
"""Feedback was picked for training."""

CRUCIBLE_KITCHEN_FEEDBACK_DATA_EXPORTED: Final = "crucible_kitchen.feedback.data_exported"
"""Feedback was exported."""

CRUCIBLE_KITCHEN_FEEDBACK_BASELINE_UPDATED: Final = "crucible_kitchen.feedback.baseline_updated"
"""What drift is measured against was renewed."""

CRUCIBLE_KITCHEN_FEEDBACK_CHECK_TRIGGERS: Final = "crucible_kitchen.feedback.check_triggers"
"""Triggers were checked."""

CRUCIBLE_KITCHEN_FEEDBACK_CURATE: Final = "crucible_kitchen.feedback.curate"
"""Feedback was curated."""

CRUCIBLE_KITCHEN_FEEDBACK_EXPORT: Final = "crucible_kitchen.feedback.export"
"""An export was asked for."""

CRUCIBLE_KITCHEN_FEEDBACK_EXPORT_PREFERENCE_PAIRS: Final = (
    "crucible_kitchen.feedback.export_preference_pairs"
)
"""Pairs of answers were exported."""

CRUCIBLE_KITCHEN_FEEDBACK_UPDATE_BASELINE: Final = "crucible_kitchen.feedback.update_baseline"
"""A new baseline was asked for."""

LLM_GUARD_PIPELINE_COMPLETE: Final = "llm_guard.pipeline.complete"
"""A text went through all detectors."""

LLM_GUARD_DETECTOR_COMPLETE: Final = "llm_guard.detector.complete"
"""A detector looked at a text."""

LLM_GUARD_CACHE_ACCESS: Final = "llm_guard.cache.access"
"""A cache was asked."""

CRUCIBLE_MODEL_REGISTRY_REGISTER: Final = "crucible_model_registry.register"
"""A version was registered."""

CRUCIBLE_MODEL_REGISTRY_PROMOTE: Final = "crucible_model_registry.promote"
"""A version came to another stage."""

CRUCIBLE_MODEL_REGISTRY_UPLOAD: Final = "crucible_model_registry.upload"
"""An artifact was uploaded."""

CRUCIBLE_MODEL_REGISTRY_DOWNLOAD: Final = "crucible_model_registry.download"
"""An artifact was downloaded."""

NSAI_GATEWAY_REQUEST_COMPLETE: Final = "nsai_gateway.request.complete"
"""A request was answered."""

NSAI_GATEWAY_PROXY_SUCCESS: Final = "nsai_gateway.proxy.success"
"""A service answered."""

NSAI_GATEWAY_PROXY_ERROR: Final = "nsai_gateway.proxy.error"
"""A service did not answer."""

NSAI_REGISTRY_REGISTER_START: Final = "nsai_registry.register.start"
"""A service is announced."""

NSAI_REGISTRY_REGISTER_STOP: Final = "nsai_registry.register.stop"
"""A service was announced."""

NSAI_REGISTRY_REGISTER_EXCEPTION: Final = "nsai_registry.register.exception"
"""A service could not be announced."""

NSAI_REGISTRY_DEREGISTER_START: Final = "nsai_registry.deregister.start"
"""A service is taken off."""

NSAI_REGISTRY_DEREGISTER_STOP: Final = "nsai_registry.deregister.stop"
"""A service was taken off."""

NSAI_REGISTRY_DEREGISTER_EXCEPTION: Final = "nsai_registry.deregister.exception"
"""A service could not be taken off."""

NSAI_REGISTRY_LOOKUP_START: Final = "nsai_registry.lookup.start"
"""A service is looked for."""

NSAI_REGISTRY_LOOKUP_STOP: Final = "nsai_registry.lookup.stop"
"""A service was looked for."""

NSAI_REGISTRY_LOOKUP_EXCEPTION: Final = "nsai_registry.lookup.exception"
"""A service could not be looked for."""

NSAI_REGISTRY_HEALTH_CHECK_START: Final = "nsai_registry.health_check.start"
"""A service is checked."""

NSAI_REGISTRY_HEALTH_CHECK_STOP: Final = "nsai_registry.health_check.stop"
"""A service was checked."""

NSAI_REGISTRY_HEALTH_CHECK_EXCEPTION: Final = "nsai_registry.health_check.exception"
"""A service could not be checked."""

NSAI_REGISTRY_STATUS_CHANGE: Final = "nsai_registry.status_change"
"""A service changed its state."""

NSAI_WORK_JOB_SUBMITTED: Final = "nsai_work.job.submitted"
"""A job was submitted."""

NSAI_WORK_JOB_QUEUED: Final = "nsai_work.job.queued"
"""A job waits in a queue."""

NSAI_WORK_JOB_STARTED: Final = "nsai_work.job.started"
"""A job began."""

NSAI_WORK_JOB_COMPLETED: Final = "nsai_work.job.completed"
"""A job came to its end, well or not."""

NSAI_WORK_JOB_CANCELED: Final = "nsai_work.job.canceled"
"""A job was cancelled."""

NSAI_WORK_JOB_RETRY: Final = "nsai_work.job.retry"
"""A job is tried again."""

NSAI_WORK_SCHEDULER_ADMIT: Final = "nsai_work.scheduler.admit"
"""The scheduler let a job in, or did not."""

NSAI_WORK_SCHEDULER_SELECT_BACKEND: Final = "nsai_work.scheduler.select_backend"
"""The scheduler picked what runs a job."""

NSAI_WORK_QUEUE_ENQUEUE: Final = "nsai_work.queue.enqueue"
"""A job came into a queue."""

NSAI_WORK_QUEUE_DEQUEUE: Final = "nsai_work.queue.dequeue"
"""A job came out of a queue."""

NSAI_WORK_QUEUE_OVERFLOW: Final = "nsai_work.queue.overflow"
"""A queue was full."""

REQ_LLM_REQUEST_START: Final = "req_llm.request.start"
"""A call begins."""

REQ_LLM_REQUEST_STOP: Final = "req_llm.request.stop"
"""A call was answered."""

REQ_LLM_REQUEST_EXCEPTION: Final = "req_llm.request.exception"
"""A call failed."""

REQ_LLM_REASONING_START: Final = "req_llm.reasoning.start"
"""The model begins to reason."""

REQ_LLM_REASONING_STOP: Final = "req_llm.reasoning.stop"
"""The model is done reasoning."""

REQ_LLM_REASONING_UPDATE: Final = "req_llm.reasoning.update"
"""The model reasons on."""

REQ_LLM_TOKEN_USAGE: Final = "req_llm.token_usage"
"""What a call used and cost."""

TINKEX_HTTP_REQUEST_START: Final = "tinkex.http.request.start"
"""A request is sent."""

TINKEX_HTTP_REQUEST_STOP: Final = "tinkex.http.request.stop"
"""A request was answered."""

TINKEX_HTTP_REQUEST_EXCEPTION: Final = "tinkex.http.request.exception"
"""A request failed."""

TINKEX_QUEUE_STATE_CHANGE: Final = "tinkex.queue.state_change"
"""The queue of the service changed its state."""

TINKEX_RETRY_ATTEMPT_START: Final = "tinkex.retry.attempt.start"
"""An attempt begins."""

TINKEX_RETRY_ATTEMPT_STOP: Final = "tinkex.retry.attempt.stop"
"""An attempt succeeded."""

TINKEX_RETRY_ATTEMPT_FAILED: Final = "tinkex.retry.attempt.failed"
"""The last attempt failed."""

TINKEX_RETRY_ATTEMPT_RETRY: Final = "tinkex.retry.attempt.retry"
"""An attempt failed, and another will follow."""

TINKEX_FUTURE_TIMEOUT: Final = "tinkex.future.timeout"
"""An answer did not come in time."""

TINKEX_FUTURE_API_ERROR: Final = "tinkex.future.api_error"
"""The service answered with an error."""

TINKEX_FUTURE_CONNECTION_ERROR: Final = "tinkex.future.connection_error"
"""The service could not be reached."""

TINKEX_FUTURE_REQUEST_FAILED: Final = "tinkex.future.request_failed"
"""The service gave the request up."""

TINKEX_FUTURE_VALIDATION_ERROR: Final = "tinkex.future.validation_error"
"""The answer was not what it should be."""

TINKEX_RECOVERY_DETECTED: Final = "tinkex.recovery.detected"
"""A run was found to be broken off."""

TINKEX_RECOVERY_POLL_ERROR: Final = "tinkex.recovery.poll_error"
"""Runs could not be looked through."""

TINKEX_RECOVERY_STARTED: Final = "tinkex.recovery.started"
"""A run is taken up again."""

TINKEX_RECOVERY_CHECKPOINT_SELECTED: Final = "tinkex.recovery.checkpoint_selected"
"""The checkpoint to go on from was picked."""

TINKEX_RECOVERY_CLIENT_CREATED: Final = "tinkex.recovery.client_created"
"""A client for the run was made anew."""

TINKEX_RECOVERY_COMPLETED: Final = "tinkex.recovery.completed"
"""A run goes on."""

TINKEX_RECOVERY_FAILED: Final = "tinkex.recovery.failed"
"""A run could not be taken up."""

TINKEX_RECOVERY_EXHAUSTED: Final = "tinkex.recovery.exhausted"
"""A run was given up."""

TINKEX_CUSTOM_LOSS_START: Final = "tinkex.custom_loss.start"
"""A loss is computed."""

TINKEX_CUSTOM_LOSS_STOP: Final = "tinkex.custom_loss.stop"
"""A loss was computed."""

TINKEX_CUSTOM_LOSS_EXCEPTION: Final = "tinkex.custom_loss.exception"
"""A loss could not be computed."""

TINKEX_REGULARIZER_COMPUTE_START: Final = "tinkex.regularizer.compute.start"
"""A regulariser is computed."""

TINKEX_REGULARIZER_COMPUTE_STOP: Final = "tinkex.regularizer.compute.stop"
"""A regulariser was computed."""

TINKEX_REGULARIZER_COMPUTE_EXCEPTION: Final = "tinkex.regularizer.compute.exception"
"""A regulariser could not be computed."""

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

CRUCIBLE_TRAIN_LOGGING_WANDB_REQUEST: Final = "crucible_train.logging.wandb.request"
"""A request to Weights & Biases was answered, or failed."""

CRUCIBLE_TRAIN_LOGGING_NEPTUNE_REQUEST: Final = "crucible_train.logging.neptune.request"
"""A request to Neptune was answered, or failed."""


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
