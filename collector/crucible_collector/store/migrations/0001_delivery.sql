-- What makes delivery exactly-once: the collector's place in each journal, the requests seen, the counts.
-- Small rows that every window updates: room on the page keeps those updates heap-only (HOT), so that
-- no index entry is written and the space is reused within the page.

create table crucible.positions (
    journal_id uuid primary key,
    position bigint not null check (position >= 0),
    updated_at timestamptz not null default now(),
    description text not null default ''
) with (fillfactor = 25, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

create table crucible.ledger (
    count bigint not null default 0,
    journal_id uuid not null,
    signal text collate "C" not null,
    outcome text collate "C" not null
        check (outcome in ('received', 'stored', 'rejected', 'duplicate')),
    reason text collate "C" not null default '',
    primary key (journal_id, signal, outcome, reason)
) with (fillfactor = 25, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

-- One row a request (512 spans, say), so an ordinary unique index costs a span next to nothing.
-- Requests arrive in the order of received_at, which is how they are forgotten: BRIN is enough.
create table crucible.requests (
    received_at timestamptz not null,
    digest uuid primary key
) with (autovacuum_vacuum_insert_scale_factor = 0.5);

create index requests_received_at on crucible.requests using brin (received_at)
    with (pages_per_range = 32, autosummarize = off);
