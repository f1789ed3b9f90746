-- What it takes to notice that a run has fallen silent: when it was last heard of, how often it said it
-- would be, and up to when each journal is stored. And an experiment's pauses, owner and end.

alter table crucible.runs
    add column last_received_at timestamptz,
    add column stalled_at timestamptz,
    add column heartbeat_interval_s double precision;

-- Asked every few seconds. Heartbeats change neither column, so updates stay heap-only.
create index runs_heartbeat on crucible.runs (run_id)
    where status = 'running' and heartbeat_interval_s is not null;

alter table crucible.positions
    add column stored_until timestamptz,
    add column heard_since timestamptz;

alter table crucible.experiments
    add column active_duration_ns bigint,
    add column paused_duration_ns bigint,
    add column pause_count bigint,
    add column is_aborted boolean,
    add column owner text,
    add column experiment_type text,
    add column pause_reason text,
    add column abort_reason text;
