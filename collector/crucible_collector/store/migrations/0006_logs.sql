-- OTLP log records, indexed as spans are and for the same reasons.

create table crucible.logs (
    time timestamptz not null,
    observed_time timestamptz,
    span_id bigint,
    resource_id bigint not null,
    scope_id bigint not null,
    step bigint,
    epoch bigint,
    flags bigint,
    dropped_attributes_count bigint,
    sample_probability float8 not null default 1,
    sample_threshold bigint,
    time_ns_rest smallint not null default 0,
    severity_number smallint not null default 0,
    trace_id uuid,
    severity_text text,
    event_name text collate "C",
    experiment_id text collate "C",
    run_id text collate "C",
    condition text collate "C",
    correlation_id text collate "C",
    keep_reason text collate "C",
    body jsonb,
    attributes jsonb
) /* partitioned by time */;

select crucible.store_by_time('logs');

create index logs_time on crucible.logs (time);

create index logs_run on crucible.logs (run_id, time) where run_id is not null;

create index logs_experiment on crucible.logs (experiment_id, time)
    where run_id is null and experiment_id is not null;

-- From WARN (13) upwards.
create index logs_warnings on crucible.logs (time) where severity_number >= 13;

create index logs_trace on crucible.logs
    using brin (trace_id uuid_bloom_ops (n_distinct_per_range = 1000, false_positive_rate = 0.001))
    with (pages_per_range = 64, autosummarize = off);

create index logs_correlation on crucible.logs
    using brin (correlation_id text_bloom_ops (n_distinct_per_range = 1000, false_positive_rate = 0.001))
    with (pages_per_range = 64, autosummarize = off);
