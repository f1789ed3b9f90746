-- Who and what: upserted in every window, sorted by key, so updates are kept heap-only (fillfactor).
-- Status words have a check here because rows are few; hot relations leave checking to the receiver.

create table crucible.experiments (
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    status_at timestamptz,
    experiment_id text collate "C" primary key,
    name text,
    hypothesis text,
    status text collate "C" not null default 'running'
        check (status in ('running', 'paused', 'stopped', 'archived')),
    tags text[],
    metadata jsonb
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

create table crucible.runs (
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz,
    status_at timestamptz,
    resource_id bigint,
    last_step bigint,
    last_epoch bigint,
    trace_id uuid,
    run_id text collate "C" primary key,
    experiment_id text collate "C",
    condition text collate "C",
    kind text collate "C" check (kind in ('training', 'pipeline')),
    status text collate "C" not null default 'running'
        check (status in ('pending', 'running', 'completed', 'failed', 'cancelled',
                          'early_stopped', 'stalled')),
    model_name text,
    model_version text,
    dataset_name text,
    service_name text,
    correlation_id text collate "C",
    config jsonb,
    summary jsonb
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

-- None of these columns changes once set, so that updates stay heap-only.
create index runs_experiment_id on crucible.runs (experiment_id) where experiment_id is not null;
create index runs_correlation_id on crucible.runs (correlation_id) where correlation_id is not null;
create index runs_first_seen on crucible.runs (first_seen);
