-- OTLP log records.

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
