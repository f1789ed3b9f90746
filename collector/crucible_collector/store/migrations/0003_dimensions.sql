-- What rows share, once each, under a 63-bit hash of its content: no look-up is needed to write a row.

create table crucible.resources (
    resource_id bigint primary key check (resource_id >= 0),
    dropped_attributes_count bigint,
    first_seen timestamptz not null,
    service_name text collate "C",
    service_version text,
    service_instance_id text,
    host_name text,
    schema_url text,
    attributes jsonb
);

create table crucible.scopes (
    scope_id bigint primary key check (scope_id >= 0),
    dropped_attributes_count bigint,
    first_seen timestamptz not null,
    name text,
    version text,
    schema_url text,
    attributes jsonb
);

create table crucible.series (
    series_id bigint primary key check (series_id >= 0),
    resource_id bigint,
    scope_id bigint,
    rank bigint,
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    is_monotonic boolean,
    source text collate "C" not null check (source in ('event', 'metric')),
    kind text collate "C" not null
        check (kind in ('gauge', 'sum', 'histogram', 'exponential_histogram', 'summary', 'measurement')),
    temporality text collate "C" check (temporality in ('delta', 'cumulative', 'unspecified')),
    number_kind text collate "C" check (number_kind in ('int', 'double')),
    metric text collate "C" not null,
    run_id text collate "C",
    experiment_id text collate "C",
    event_name text collate "C",
    unit text,
    description text,
    attributes jsonb
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

create index series_run_id on crucible.series (run_id, metric) where run_id is not null;
create index series_metric on crucible.series (metric);
