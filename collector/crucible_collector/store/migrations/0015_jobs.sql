-- What takes longer than a question may and goes on by itself: exports, archives, restores, prices computed
-- anew. Who runs one renews updated_at; of one that is running and old nobody is left.

create table crucible.jobs (
    job_id uuid primary key,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    progress float8 not null default 0,
    kind text collate "C" not null check (kind in ('export', 'archive', 'restore', 'reprice')),
    state text collate "C" not null default 'running'
        check (state in ('running', 'completed', 'failed', 'cancelled')),
    collector text not null,
    asked_by text not null default '',
    request jsonb not null,
    report jsonb,
    error text
);
