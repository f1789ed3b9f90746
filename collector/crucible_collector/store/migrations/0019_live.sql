-- What each transaction of ingest has touched, for those who follow along: kept for some minutes.
--
-- Rows are found again by the id of the transaction that wrote them, which PostgreSQL keeps with every
-- row (xmin), so no column of spans and points says in which window they came, and no lock says in which
-- order: what a reader has not seen is what its last snapshot did not see.

create table crucible.live_windows (
    window_xid xid8 primary key default pg_current_xact_id(),
    written_at timestamptz not null default clock_timestamp(),
    row_count bigint not null default 0,
    is_exact boolean not null default true,
    times tstzmultirange not null default '{}',
    spans_of text[] collate "C",
    spans_of_experiments text[] collate "C" not null default '{}',
    points_of bigint[],
    changed text[] collate "C"
);

create index live_windows_written on crucible.live_windows (written_at);

-- Compressing a list of a thousand runs takes longer than writing it, and it is gone in a quarter of an hour.
alter table crucible.live_windows
    alter column spans_of set storage external,
    alter column points_of set storage external,
    alter column changed set storage external;
