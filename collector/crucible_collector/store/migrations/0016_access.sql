-- Who may ask and send: API keys, of which only a hash is kept, and what was changed with them.

create table crucible.api_keys (
    key_id text collate "C" primary key,
    name text collate "C" not null,
    digest bytea not null,
    scopes text[] not null
        check (scopes <@ array['ingest', 'read', 'write', 'admin'] and cardinality(scopes) > 0),
    experiment_prefix text collate "C",
    created_at timestamptz not null default now(),
    created_by text not null default '',
    expires_at timestamptz,
    revoked_at timestamptz,
    revoked_by text,
    last_used_at timestamptz,
    requests_per_minute_max bigint,
    spans_per_s_max bigint,
    bytes_per_s_max bigint
);

-- Who reads an audit must know which key is meant: two that work may not have one name.
create unique index api_keys_name on crucible.api_keys (name) where revoked_at is null;

create table crucible.audit (
    audit_id bigint generated always as identity primary key,
    happened_at timestamptz not null default now(),
    who text not null,
    key_id text collate "C",
    address text not null default '',
    method text collate "C" not null,
    path text not null,
    status smallint,
    summary jsonb not null default '{}'
);

create index audit_happened on crucible.audit (happened_at);
