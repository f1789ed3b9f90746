"""What the other packages really emit is in the registry: name by name, field by field.

The list below is written from the packages' own sources, apart from the YAML: an event's fields of
`measurements`, those of `metadata`, and its duration's field and unit.
"""

from __future__ import annotations

import pytest

from crucible_schema import (
    ATTRIBUTES,
    EVENTS,
    LIFECYCLES,
    MEASUREMENTS,
    AttributeType,
    EventKind,
    Phase,
    canonical_event,
    duration_scale_ns,
    event_name,
    measurement_of,
    metadata_key,
)

SCALES_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6}

# event | measurements | metadata | unit of the duration, and its field where that is not `duration`
REALLY_EMITTED = """
crucible_train.logging.wandb.request || method url status ok error | ns
crucible_train.logging.neptune.request || method url status ok error | ns
crucible_deployment.deploy | count | deployment_id target strategy |
crucible_deployment.promote | count | deployment_id target strategy |
crucible_deployment.rollback | count | deployment_id target strategy |
crucible_deployment.terminate | count | deployment_id target strategy |
crucible_deployment.health_check | latency_p50 latency_p99 error_rate | deployment_id status |
crucible_kitchen.workflow.run.start || workflow config |
crucible_kitchen.workflow.run.stop ||| ns
crucible_kitchen.workflow.run.exception || workflow config kind reason stacktrace | ns
crucible_kitchen.stage.run.start || stage module |
crucible_kitchen.stage.run.stop || stage success | ns
crucible_kitchen.stage.run.exception || stage module kind reason stacktrace | ns
crucible_kitchen.training.step | loss lr grad_norm | step total_steps |
crucible_kitchen.training.epoch | epoch_loss | epoch total_epochs |
crucible_kitchen.training.checkpoint | size_bytes | checkpoint_name path |
crucible_kitchen.eval.complete | accuracy f1 precision recall loss perplexity | model dataset step sample_count |
crucible_kitchen.model.registered | count | model_id name version |
crucible_kitchen.dpo.dataset_built | num_pairs num_batches ||
crucible_kitchen.dpo.step | loss accuracy chosen_reward rejected_reward margin | step beta num_pairs |
crucible_kitchen.rl.env_group_built | group_size groups_per_batch | env_type |
crucible_kitchen.rl.rollout_complete | num_trajectories total_steps reward_mean reward_std | rollout_index | ms duration_ms
crucible_kitchen.rl.advantages_computed | advantage_mean advantage_std num_steps ||
crucible_kitchen.rl.batch_assembled | batch_size num_trajectories ||
crucible_kitchen.rl.step | reward_mean reward_std policy_loss value_loss entropy kl_divergence num_trajectories total_steps | step rollout_index |
crucible_kitchen.distillation.step | loss num_sequences teacher_num_samples teacher_num_tokens | step |
crucible_kitchen.feedback.triggers_checked | count | deployment_id triggers should_retrain |
crucible_kitchen.feedback.data_curated | count | deployment_id by_source |
crucible_kitchen.feedback.data_exported || deployment_id path format |
crucible_kitchen.feedback.baseline_updated || deployment_id model_name model_version model_id |
crucible_kitchen.feedback.check_triggers || deployment_id trigger_count |
crucible_kitchen.feedback.curate || deployment_id count |
crucible_kitchen.feedback.export || deployment_id format path |
crucible_kitchen.feedback.export_preference_pairs || deployment_id path |
crucible_kitchen.feedback.update_baseline || deployment_id |
crucible_ensemble.predict.start || query_length models |
crucible_ensemble.predict.stop || query_length models consensus total_cost successes failures | us
crucible_ensemble.predict.exception || query_length models error | us
crucible_ensemble.executor.start || models query_length |
crucible_ensemble.executor.stop || models results_count successes failures | us
crucible_ensemble.model.start || model query_length |
crucible_ensemble.model.stop || model cost success | us
crucible_ensemble.model.exception || model error error_type | us
crucible_ensemble.vote.complete | cluster_count winner_size rounds | strategy consensus threshold metric method |
crucible_hedging.request.start || request_id strategy |
crucible_hedging.request.stop || request_id hedged hedge_won primary_latency backup_latency hedge_delay cost strategy_name | ms
crucible_hedging.request.exception || request_id | ms
crucible_hedging.hedge.fired | delay | request_id |
crucible_hedging.hedge.won | latency | request_id |
crucible_hedging.request.cancelled || request_id |
crucible_hedging.multi_level.start | tier_count | request_id |
crucible_hedging.multi_level.stop || request_id tier hedges_fired total_latency total_cost all_results | ms
crucible_hedging.multi_level.exception || request_id | ms
crucible_hedging.multi_level.tier.start | tier_index | tier_name |
crucible_hedging.multi_level.tier.completed || tier_name | ms latency
crucible_hedging.multi_level.tier.timeout || tier_name | ms delay
crucible_hedging.multi_level.tier.cancelled || tier_name |
crucible_trace.event.created || event_id event_type decision confidence stage_id experiment_id |
crucible_trace.chain.created | event_count | chain_id chain_name |
crucible_trace.chain.saved | event_count | chain_id chain_name path |
crucible_trace.chain.loaded | event_count | chain_id chain_name path |
crucible_feedback.ingestion.flush | count ||
crucible_feedback.ingestion.invalid | count | errors |
crucible_feedback.quality.assess | score | check_count |
crucible_feedback.curation.run | count | deployment_id |
crucible_feedback.export.complete | count | format output_path |
crucible_model_registry.register | count | model_name version |
crucible_model_registry.promote | count | id stage |
crucible_model_registry.upload | size_bytes | model_version_id |
crucible_model_registry.download | count | artifact_id |
research_harness.task.complete || experiment_id condition repeat engine work_id plan_id step_id | ms
research_harness.runner.async_stream.start | max_concurrency timeout | experiment_id ordered |
research_harness.runner.async_stream.complete | result_count | experiment_id | ms
crucible_datasets.load.start || dataset source |
crucible_datasets.load.stop || item_count | ns
crucible_datasets.load.exception || dataset source kind reason stacktrace | ns
crucible_datasets.cache.hit || dataset |
crucible_datasets.cache.miss || dataset |
llm_guard.pipeline.complete | detections detectors | safe detector_count error | ns
llm_guard.detector.complete || detector detected category confidence | ns
llm_guard.cache.access || cache_type hit |
tinkex.http.request.start || method path pool_type base_url |
tinkex.http.request.stop || method path pool_type base_url result retry_count | ns
tinkex.http.request.exception || method path kind reason stacktrace | ns
tinkex.queue.state_change || request_id queue_state queue_state_reason |
tinkex.retry.attempt.start || attempt |
tinkex.retry.attempt.stop || attempt result | ns
tinkex.retry.attempt.retry | delay_ms | attempt error exception | ns
tinkex.retry.attempt.failed || attempt error exception | ns
tinkex.future.timeout || request_id request_type iteration | ms elapsed_time
tinkex.future.api_error || request_id status category error_type | ms elapsed_time
tinkex.future.connection_error || request_id status category error_type | ms elapsed_time
tinkex.future.request_failed || request_id status category error_type | ms elapsed_time
tinkex.future.validation_error || request_id status category error_type | ms elapsed_time
tinkex.recovery.detected || run_id checkpoint |
tinkex.recovery.poll_error || run_id error |
tinkex.recovery.started | attempt | run_id attempt strategy |
tinkex.recovery.checkpoint_selected | attempt | run_id attempt strategy checkpoint |
tinkex.recovery.client_created | attempt | run_id attempt strategy client_pid |
tinkex.recovery.completed | attempt | run_id attempt strategy |
tinkex.recovery.failed | attempt | run_id attempt strategy error |
tinkex.recovery.exhausted | attempt | run_id attempt strategy error |
tinkex.custom_loss.start || regularizer_count track_grad_norms |
tinkex.custom_loss.stop | loss_total regularizer_total | regularizer_count | ns
tinkex.custom_loss.exception || reason | ns
tinkex.regularizer.compute.start || regularizer_name weight async |
tinkex.regularizer.compute.stop | value contribution grad_norm | regularizer_name weight async | ns
tinkex.regularizer.compute.exception || regularizer_name weight async reason | ns
crucible.experiment.submitted || job_id tenant_id namespace priority kind experiment_id experiment_type run_id stage_name |
crucible.stage.started || job_id tenant_id namespace priority kind run_id stage_name |
crucible.stage.completed || job_id stage_name result | ms duration_ms
crucible.stage.failed || job_id stage_name error attempt |
crucible.stage.backend_started || job_id backend |
crucible.stage.backend_completed || job_id backend |
crucible.stage.backend_failed || job_id backend |
crucible.stage.backend_stopped || job_id backend |
nsai_work.job.submitted | count | job_id tenant_id kind priority queue |
nsai_work.job.queued | count | job_id tenant_id kind priority queue |
nsai_work.job.started | count | job_id tenant_id backend worker_id attempt |
nsai_work.job.completed | count | job_id tenant_id backend worker_id status | ms duration_ms
nsai_work.job.canceled | count | job_id tenant_id status |
nsai_work.job.retry | count delay_ms | job_id tenant_id attempt |
nsai_work.scheduler.admit | count | job_id tenant_id decision |
nsai_work.scheduler.select_backend | count | job_id tenant_id backend |
nsai_work.queue.enqueue | count | job_id tenant_id queue priority |
nsai_work.queue.dequeue | count | job_id tenant_id queue priority |
nsai_work.queue.overflow | count | job_id tenant_id queue priority |
forge.pipeline.start || pipeline_id run_id name |
forge.pipeline.stop | samples_processed | pipeline_id run_id outcome | ns
forge.pipeline.exception || pipeline_id run_id kind reason stacktrace | ns
forge.stage.start || sample_id stage |
forge.stage.stop || sample_id stage outcome error_type | ns
forge.stage.retry | attempt delay_ms | sample_id stage error error_type |
forge.measurement.start || sample_id measurement_key version |
forge.measurement.stop || sample_id measurement_key version outcome | ns
forge.measurement.batch_complete | batch_size | measurement_key version | ns
forge.storage.sample_write | size_bytes | sample_id storage_backend | ns
forge.storage.artifact_upload | size_bytes | artifact_key storage_backend deduplication | ns
forge.storage.artifact_download | size_bytes | artifact_key storage_backend | ns
forge.dlq.enqueue || sample_id stage error error_type |
anvil.queue.created || queue_id |
anvil.queue.status_changed || queue_id from_status to_status |
anvil.assignment.dispatch.start || queue_id labeler_id |
anvil.assignment.dispatch.stop || queue_id labeler_id assignment_id sample_id | ns
anvil.assignment.dispatch.exception || queue_id labeler_id kind reason | ns
anvil.assignment.created || assignment_id queue_id labeler_id sample_id |
anvil.assignment.completed || assignment_id queue_id labeler_id sample_id |
anvil.assignment.expired || assignment_id |
anvil.assignment.timed_out | count | queue_id |
anvil.label.submit.start || assignment_id labeler_id sample_id |
anvil.label.submit.stop || assignment_id labeler_id sample_id | ns
anvil.label.submit.exception || assignment_id kind reason | ns
anvil.label.validation_failed | error_count | assignment_id errors |
anvil.agreement.compute.start || sample_id metric dimension n_raters |
anvil.agreement.compute.stop || sample_id metric dimension n_raters | ns
anvil.agreement.compute.exception || sample_id metric kind reason | ns
anvil.agreement.low_score | value | sample_id metric dimension n_raters threshold |
anvil.agreement.batch_recompute.start || queue_id |
anvil.agreement.batch_recompute.stop || queue_id samples_processed | ns
anvil.agreement.batch_recompute.exception || queue_id kind reason | ns
anvil.export.generate.start || export_id queue_id format |
anvil.export.generate.stop || export_id queue_id format row_count file_size_bytes | ns
anvil.export.generate.exception || export_id kind reason | ns
anvil.export.progress | rows_processed | export_id |
anvil.export.completed || export_id format row_count file_size_bytes | ns
anvil.export.failed || export_id reason | ns
anvil.storage.query.start || operation |
anvil.storage.query.stop || operation | ns
anvil.storage.query.exception || operation kind reason | ns
anvil.schema.validation | valid | schema_id |
anvil.schema.migration || from_version to_version |
anvil.forge_bridge.fetch_sample || sample_id backend result | ns
anvil.forge_bridge.fetch_samples | count | backend result | ns
anvil.forge_bridge.cache_hit || sample_id |
anvil.forge_bridge.cache_miss || sample_id |
anvil.workers.agreement_recompute.started || queue_id |
anvil.workers.agreement_recompute.completed | samples_processed | queue_id | ns
anvil.workers.agreement_recompute.sample_computed || sample_id |
anvil.workers.timeout_checker.started |||
anvil.workers.timeout_checker.completed | timed_out requeued failed || ns
anvil.workers.retention_sweep.started || retention_days dry_run process_pii |
anvil.workers.retention_sweep.completed | audit_logs_deleted labels_processed | retention_days dry_run process_pii | ns
cns_ui.api.list_runs | result | params error | ms duration_ms
cns_ui.api.create_run | result | payload error | ms duration_ms
cns_ui.api.stream_run | result | run_id error | ms duration_ms
nsai_gateway.request.complete || request_id status method path tenant | ns
nsai_gateway.proxy.success || service status tenant | ns
nsai_gateway.proxy.error || service reason tenant | ns
nsai_registry.register.start || service_name service_id |
nsai_registry.register.stop || service_name service_id | ns
nsai_registry.register.exception || service_name service_id exception | ns
nsai_registry.deregister.start || service_id |
nsai_registry.deregister.stop || service_id | ns
nsai_registry.deregister.exception || service_id exception | ns
nsai_registry.lookup.start || service_name |
nsai_registry.lookup.stop || service_name | ns
nsai_registry.lookup.exception || service_name exception | ns
nsai_registry.health_check.start || service_id |
nsai_registry.health_check.stop || service_id status | ns
nsai_registry.health_check.exception || service_id exception | ns
nsai_registry.status_change || service_id status old_status |
req_llm.request.start || request_id operation mode provider model transport reasoning request_summary |
req_llm.request.stop || request_id operation mode provider model response_summary http_status finish_reason usage.input_tokens usage.output_tokens | ns
req_llm.request.exception || request_id operation provider model http_status kind reason | ns
req_llm.reasoning.start || request_id provider model |
req_llm.reasoning.update || request_id provider model |
req_llm.reasoning.stop || request_id provider model | ns
req_llm.token_usage | input_tokens output_tokens total_tokens reasoning_tokens input_cost output_cost total_cost | request_id provider model |
"""

PACKAGES = """
anvil cns_crucible cns_ui crucible_adversary crucible_datasets crucible_deployment
crucible_ensemble crucible_feedback crucible_framework crucible_harness crucible_hedging
crucible_kitchen crucible_model_registry crucible_telemetry crucible_trace crucible_train
crucible_xai forge llm_guard nsai_gateway nsai_registry nsai_work req_llm tinkex
"""

HELPERS = """
crucible_trace.event.created crucible_trace.chain.created crucible_trace.chain.saved
crucible_trace.chain.loaded anvil.queue.status_changed anvil.assignment.expired
anvil.assignment.timed_out anvil.schema.validation anvil.schema.migration
"""

# Names that others listen for, and those that are called otherwise here.
ALIASES = {
    "ensemble.prediction.start": "crucible_ensemble.predict.start",
    "ensemble.prediction.stop": "crucible_ensemble.predict.stop",
    "ensemble.vote.completed": "crucible_ensemble.vote.complete",
    "hedging.request.duplicated": "crucible_hedging.hedge.fired",
    "hedging.request.stop": "crucible_hedging.request.stop",
    "crucible_hedging.stage.request.start": "crucible_hedging.request.start",
    "crucible_hedging.crucible_stage.hedge.won": "crucible_hedging.hedge.won",
    "causal_trace.event.created": "crucible_trace.event.created",
    "crucible_deployment.health_check": "crucible_deployment.health_check.completed",
    "crucible_kitchen.training.step": "crucible_train.batch.stop",
    "crucible_kitchen.training.epoch": "crucible_train.epoch.stop",
    "crucible_kitchen.training.checkpoint": "crucible_train.checkpoint.saved",
    "crucible_kitchen.workflow.run.start": "crucible_framework.pipeline.start",
    "crucible_kitchen.workflow.run.exception": "crucible_framework.pipeline.exception",
    "crucible_kitchen.stage.run.stop": "crucible_framework.stage.stop",
    "work.job.queued": "nsai_work.job.queued",
}

LISTED = {
    name.strip(): [part.split() for part in parts]
    for name, *parts in (line.split("|") for line in REALLY_EMITTED.strip().splitlines())
}


def field_exists(event: str, field: str) -> bool:
    """A field may stand among the measurements or in the metadata: the packages differ."""
    return measurement_of(event, field) is not None or metadata_key(event, field) is not None


@pytest.mark.parametrize("name", LISTED)
def test_every_field_of_an_event_that_is_really_emitted_has_a_key(name: str) -> None:
    measurements, metadata, duration = LISTED[name]
    event = canonical_event(name)
    assert event in EVENTS
    missing = [field for field in (*measurements, *metadata) if not field_exists(name, field)]
    assert missing == []
    if duration:
        unit, field = (*duration, "duration")[:2]
        assert duration_scale_ns(name, field) == SCALES_NS[unit]
        found = EVENTS[event].duration
        assert found is not None
        if name == event:
            assert (found.unit, found.field) == (unit, field)


def test_no_event_of_the_other_packages_is_unlisted() -> None:
    own = ("crucible_telemetry.", "crucible_xai.", "crucible_adversary.", "crucible_framework.")
    standard = {
        "crucible_train.training", "crucible_train.epoch", "crucible_train.batch",
        "crucible_train.checkpoint", "crucible_deployment.inference", "crucible_feedback.feedback",
    }  # fmt: skip
    emitted = {canonical_event(name) for name in LISTED}
    others = {
        name
        for name in EVENTS
        if not name.startswith(own) and name.rpartition(".")[0] not in standard
    }
    assert others <= emitted


def test_what_only_a_helper_emits_says_so() -> None:
    helpers = {name for name, event in EVENTS.items() if "A public function emits it" in event.note}
    assert helpers == set(HELPERS.split())


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_a_name_that_others_use_leads_to_the_event(alias: str, name: str) -> None:
    assert canonical_event(alias) == name
    assert name in EVENTS


def test_the_packages_are_those_of_the_family_and_its_neighbours() -> None:
    assert {event.producer for event in EVENTS.values()} == set(PACKAGES.split())


@pytest.mark.parametrize("name", LIFECYCLES)
def test_a_life_cycle_is_one_span(name: str) -> None:
    lifecycle = LIFECYCLES[name]
    stop = EVENTS[lifecycle.stop]
    assert (stop.span_name, stop.kind, stop.phase) == (name, EventKind.SPAN, Phase.STOP)
    assert event_name(name, False) == lifecycle.stop
    if lifecycle.start is not None:
        assert lifecycle.start == f"{name}.start"
        assert EVENTS[lifecycle.start].kind is EventKind.POINT
    if lifecycle.exception is not None:
        assert EVENTS[lifecycle.exception].phase is Phase.EXCEPTION
        assert event_name(name, True) == lifecycle.exception


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_a_measurement_s_unit_fits_its_name(name: str) -> None:
    """A unit at the end of a name is its unit."""
    units = {"_ms": "ms", "_bytes": "By", "_usd": "{USD}", "_ns": "ns", "_s": "s"}
    for ending, unit in units.items():
        if name.endswith(ending):
            assert MEASUREMENTS[name].unit == unit
    if MEASUREMENTS[name].unit in {"ms", "{USD}"}:
        assert name.endswith(("_ms", "_usd")) or name.startswith("latency_p")


def test_every_number_has_an_example_of_its_type() -> None:
    for measurement in MEASUREMENTS.values():
        kind = {AttributeType.INT: int, AttributeType.DOUBLE: float}[measurement.type]
        assert [type(example) for example in measurement.examples] == [kind], measurement.name


def test_no_two_attributes_are_told_apart_by_a_dash() -> None:
    keys = [*ATTRIBUTES, *(measurement.key for measurement in MEASUREMENTS.values())]
    assert len({key.replace("_", ".") for key in keys}) == len(keys)
