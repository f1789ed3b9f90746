-- What was put away as files: each archive, and each file of it with what is in it, so that whoever goes on
-- with one, drops rows or brings them back does each file once.

create table crucible.archives (
    archive_id uuid primary key,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    written_at timestamptz,
    verified_at timestamptz,
    dropped_at timestamptz,
    restored_at timestamptz,
    gone_before timestamptz,
    job_id uuid,
    is_own boolean not null,
    state text collate "C" not null
        check (state in ('writing', 'written', 'verified', 'dropping', 'dropped', 'restoring', 'restored',
                         'failed')),
    asked_by text not null default '',
    url text not null,
    manifest_sha256 text,
    error text,
    asked jsonb not null
);

-- Rows by time that lie in [from_time, to_time); null: what these refer to, which is never dropped.
create table crucible.archive_files (
    archive_id uuid not null references crucible.archives on delete cascade,
    from_time timestamptz,
    to_time timestamptz,
    row_count bigint,
    byte_count bigint,
    dropped_count bigint,
    restored_count bigint,
    number int not null,
    relation text collate "C" not null,
    state text collate "C" not null default 'planned'
        check (state in ('planned', 'written', 'dropped', 'restored')),
    path text not null,
    entry jsonb,
    primary key (archive_id, number)
);
