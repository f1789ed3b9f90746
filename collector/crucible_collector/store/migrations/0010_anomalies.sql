-- What detectors flag: one row a value (anomalies), and one row a stretch of them (anomaly_periods).
--
-- Flags are rare, some per thousand values where a default setting is doubtful and fewer where it is
-- not. So an index costs nothing beside what it saves, and every question that is asked has its own.

create table crucible.anomalies (
    time timestamptz not null,
    series_id bigint,
    span_id bigint,
    step bigint,
    value float8,
    expected float8,
    lower float8,
    upper float8,
    score float8 not null,
    time_ns_rest smallint not null default 0,
    starts_period boolean not null default false,
    period_id uuid not null,
    trace_id uuid,
    metric text collate "C" not null,
    detector text collate "C" not null,
    severity text collate "C" not null,
    label text collate "C" not null default '',
    experiment_id text collate "C",
    run_id text collate "C",
    condition text collate "C",
    event_name text collate "C",
    model text collate "C"
) /* partitioned by time */;

-- Parts by day as everywhere: few rows a part, but they are dropped and moved like those they are about.
select crucible.store_by_time('anomalies');

-- The newest of all: what a feed and the front page ask for.
create index anomalies_time on crucible.anomalies (time);

-- The newest of a run: its health, its page, early stopping.
create index anomalies_run on crucible.anomalies (run_id, time) where run_id is not null;

-- The newest of an experiment, those of its runs included: spans are too many for this, flags are not.
create index anomalies_experiment on crucible.anomalies (experiment_id, time)
    where experiment_id is not null;

-- What was flagged on a curve that is being drawn.
create index anomalies_series on crucible.anomalies (series_id, time) where series_id is not null;

-- What a period is made of.
create index anomalies_period on crucible.anomalies (period_id, time);

-- Not by time: a period goes on, is acknowledged and resolved long after it began, and is kept when its
-- flags are dropped. Its identity stands in it, so that it can be asked for without them.
create table crucible.anomaly_periods (
    period_id uuid primary key,
    started_at timestamptz not null,
    ended_at timestamptz,
    last_flag_at timestamptz not null,
    state_at timestamptz not null,
    series_id bigint,
    flag_count bigint not null,
    peak_score float8 not null,
    peak_value float8,
    metric text collate "C" not null,
    detector text collate "C" not null,
    severity text collate "C" not null check (severity in ('info', 'warning', 'critical')),
    state text collate "C" not null default 'active'
        check (state in ('active', 'acknowledged', 'resolved', 'silenced')),
    label text collate "C" not null default '',
    experiment_id text collate "C",
    run_id text collate "C",
    condition text collate "C",
    event_name text collate "C",
    model text collate "C",
    state_by text,
    state_reason text
    -- Each flag changes its row: in place, where its page has room.
) with (fillfactor = 80);

-- What is to be looked at, the newest first; and what a collector takes up again when it starts. Nearly
-- all periods are resolved, so this stays small whatever has piled up. Updates by flags change neither
-- column, and stay heap-only.
create index anomaly_periods_unresolved on crucible.anomaly_periods (started_at)
    where state <> 'resolved';

-- The newest of all, whatever their state.
create index anomaly_periods_started on crucible.anomaly_periods (started_at);

-- Those of a run: one verdict on its health reads no flags.
create index anomaly_periods_run on crucible.anomaly_periods (run_id, started_at)
    where run_id is not null;

create index anomaly_periods_experiment on crucible.anomaly_periods (experiment_id, started_at)
    where experiment_id is not null;
