-- How is a time given to a reader?
-- No index. One SQL expression, so that PostgreSQL puts it in the caller's place.
create or replace function crucible.rfc3339(at timestamptz, ns_rest smallint)
    returns text language sql stable parallel safe
    return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')
        || lpad(ns_rest::text, 3, '0') || 'Z';

comment on function crucible.rfc3339(timestamptz, smallint) is
    'RFC 3339 in UTC with nine digits: a time to the microsecond and its nanoseconds below';
