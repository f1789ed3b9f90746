-- For how long the rows of each relation are kept, so that all collectors of a database agree, and people
-- can see it. Written by a start, or a migrate, that was told (--retention); empty: everything for ever.

create table crucible.retention (
    relation text collate "C" primary key,
    kept interval check (kept >= interval '1 day'),
    -- What kept was before says how far back rows may be gone: whatever sums rows up anew stays clear of it.
    dropped_before timestamptz,
    last_run_at timestamptz
);
