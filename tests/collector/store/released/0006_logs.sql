-- The functions and views of the release whose last migration was 0006. Comments are left out: every
-- start writes them anew.
create or replace function crucible.rfc3339(at timestamptz, ns_rest smallint)
    returns text language sql stable parallel safe
    return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')
        || lpad(ns_rest::text, 3, '0') || 'Z';
