-- What sampling needs: two places in each journal (what was seen, what was decided), the windows between
-- them, the settings in force, a ledger of what each rule saw and kept, and the variance terms that one
-- roll-up row cannot know.

-- Up to where spans and logs are decided and stored; null: as far as everything else.
alter table crucible.positions add column decided_position bigint;

-- How the journal was cut and what was a duplicate: needed until the window is decided and the samplers'
-- state after it is on the collector's disk.
create table crucible.windows (
    journal_id uuid not null,
    start_position bigint not null,
    end_position bigint not null,
    duplicates int[] not null default '{}',
    primary key (journal_id, start_position)
) with (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- The newest version is in force, for every collector of this database.
create table crucible.sampling_settings (
    version bigint generated always as identity primary key,
    changed_at timestamptz not null default now(),
    origin text collate "C" not null check (origin in ('file', 'api')),
    changed_by text not null default '',
    reason text not null default '',
    settings jsonb not null,
    digest uuid not null
);

-- By journal, so that collectors never wait for each other.
create table crucible.sampling_ledger (
    time timestamptz not null,
    seen_count bigint not null default 0,
    kept_count bigint not null default 0,
    weight_sum float8 not null default 0,
    weight_square_sum float8 not null default 0,
    probability_min float8 not null default 1,
    error_seen_count bigint not null default 0,
    error_kept_count bigint not null default 0,
    error_probability_min float8 not null default 1,
    trace_count_max int not null default 1,
    journal_id uuid not null,
    rule text collate "C" not null,
    signal text collate "C" not null check (signal in ('spans', 'log_records')),
    stratum text collate "C" not null default '',
    primary key (time, rule, signal, stratum, journal_id)
) with (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.1);

alter table crucible.ledger
    drop constraint ledger_outcome_check,
    add constraint ledger_outcome_check
        check (outcome in ('received', 'stored', 'rejected', 'duplicate', 'filtered', 'sampled'));

-- Terms of the variances of sums, so that every sum over a part of a trace is at most as sure as said
-- (see sample.variance): of one event (those of 0009) and over several (trace_variance).
alter table crucible.spans
    add column upstream_threshold bigint,
    add column error_variance float8,
    add column count_trace_variance float8,
    add column duration_trace_variance float8,
    add column input_token_trace_variance float8,
    add column output_token_trace_variance float8,
    add column cost_trace_variance float8,
    add column uncertain_event_traces float8,
    add column uncertain_traces float8;

alter table crucible.logs add column upstream_threshold bigint;

-- "Which were kept because of …?": the rest (random, quota) are the mass, and of no interest.
create index spans_kept on crucible.spans (keep_reason, time)
    where keep_reason is not null and keep_reason not in ('random', 'quota', 'trace', 'upstream');
