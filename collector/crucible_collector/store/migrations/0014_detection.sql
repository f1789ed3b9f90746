-- What detection needs: periods that several collectors write to, a feed of what happens to them, alerts
-- on their way, the settings in force, scans of what is stored.

alter table crucible.anomalies add column watch_key bigint;

-- One period at a time of one watched series and detector, whoever writes it.
alter table crucible.anomaly_periods
    add column watch_key bigint,
    add column first_step bigint,
    add column last_step bigint,
    add column span_id bigint,
    add column first_value float8,
    add column peak_at timestamptz,
    add column peak_expected float8,
    add column peak_lower float8,
    add column peak_upper float8,
    add column trace_id uuid,
    add column updated_at timestamptz,
    add column rule text collate "C" not null default '';

create unique index anomaly_periods_open on crucible.anomaly_periods (watch_key, detector, label)
    where state <> 'resolved';

-- What was over a moment ago: of a run that is spread over collectors, one may still bring flags from before.
create index anomaly_periods_resolved on crucible.anomaly_periods (watch_key, state_at)
    where state = 'resolved';

-- In the order of feed_id as they were committed: whoever adds to it holds a lock until then. So a reader
-- who knows the last id it saw misses nothing.
create table crucible.anomaly_feed (
    feed_id bigint generated always as identity primary key,
    written_at timestamptz not null default now(),
    period_id uuid not null,
    kind text collate "C" not null
        check (kind in ('opened', 'continued', 'escalated', 'acknowledged', 'silenced', 'reopened', 'resolved')),
    body jsonb not null
);

create index anomaly_feed_written on crucible.anomaly_feed (written_at);

-- An alert and the anomaly that it is about are written in one transaction: neither is without the other.
create table crucible.alert_outbox (
    alert_id bigint generated always as identity primary key,
    created_at timestamptz not null default now(),
    due_at timestamptz not null default now(),
    claimed_until timestamptz,
    sent_at timestamptz,
    given_up_at timestamptz,
    attempt_count int not null default 0,
    period_id uuid not null,
    kind text collate "C" not null check (kind in ('firing', 'resolved')),
    webhook text collate "C" not null,
    severity text collate "C" not null check (severity in ('info', 'warning', 'critical')),
    last_error text,
    unique (period_id, webhook, kind)
) with (fillfactor = 80);

create index alert_outbox_due on crucible.alert_outbox (due_at) where sent_at is null and given_up_at is null;

-- The newest version is in force, for every collector of this database.
create table crucible.detection_settings (
    version bigint generated always as identity primary key,
    changed_at timestamptz not null default now(),
    origin text collate "C" not null check (origin in ('file', 'api')),
    changed_by text not null default '',
    reason text not null default '',
    settings jsonb not null,
    digest uuid not null
);

-- Who runs one renews updated_at; of one that is running and old nobody is left.
create table crucible.anomaly_scans (
    scan_id uuid primary key,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    progress float8 not null default 0,
    state text collate "C" not null default 'running'
        check (state in ('running', 'completed', 'failed', 'cancelled')),
    label text collate "C" not null default '',
    request jsonb not null,
    report jsonb,
    error text
);
