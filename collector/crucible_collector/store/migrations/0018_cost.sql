-- What costs are computed by, version by version, and how much an experiment may cost a day.

-- The newest version is in force, for every collector of this database.
create table crucible.price_settings (
    version bigint generated always as identity primary key,
    changed_at timestamptz not null default now(),
    origin text collate "C" not null check (origin in ('file', 'api')),
    changed_by text not null default '',
    reason text not null default '',
    settings jsonb not null,
    digest uuid not null
);

-- An empty experiment_id is what holds for every experiment that has no row of its own.
create table crucible.budgets (
    usd_per_day float8 not null check (usd_per_day > 0 and usd_per_day <= 1e12),
    changed_at timestamptz not null default now(),
    experiment_id text collate "C" primary key,
    changed_by text not null default '',
    reason text not null default ''
);
