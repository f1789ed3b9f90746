-- How are trace ids and correlation ids hashed, and how is a hash looked up in a filter of a day?
-- No index. Both those who fill the filters and those who ask hash here, so they agree; who sets the
-- bits is store/trace_hints/filters.py. Another way to hash or to place changes crucible.hash_check().

create or replace function crucible.trace_hash(trace_id uuid)
    returns bigint language sql immutable parallel safe
    return uuid_hash_extended(trace_id, 6877);

comment on function crucible.trace_hash(uuid) is 'Under which hash a trace is in crucible.trace_filters';

create or replace function crucible.correlation_hash(correlation_id text)
    returns bigint language sql immutable parallel safe
    return hashtextextended(correlation_id collate "C", 6899);

comment on function crucible.correlation_hash(text) is
    'Under which hash a correlation id is in crucible.trace_filters; by its bytes, whatever the collation';

-- PostgreSQL may hash otherwise in another major version, or on another kind of machine.
create or replace function crucible.hash_check()
    returns bigint language sql immutable parallel safe
    return crucible.trace_hash('00112233-4455-6677-8899-aabbccddeeff')
         # crucible.correlation_hash('crucible: grüße, 1');

comment on function crucible.hash_check() is
    'Says how this server hashes: filters that were made otherwise, before a restore perhaps, say nothing';

create or replace function crucible.filter_bit(filter bytea, place bigint)
    returns boolean language sql immutable parallel safe
    return get_bit(substr(filter, (place >> 3)::int + 1, 1), place & 7) = 1;

comment on function crucible.filter_bit(bytea, bigint) is
    'A bit of a filter, the lowest of its first byte being 0; reads no more of a long one than it must';

-- Double hashing (Kirsch & Mitzenmacher 2006). At 16 bits an entry one asked for in vain in 400 is found.
create or replace function crucible.filter_has(filter bytea, hash bigint)
    returns boolean language sql immutable parallel safe
    return crucible.filter_bit(filter,
            (hash & 1048575) & (8 * octet_length(filter) - 1))
       and crucible.filter_bit(filter,
            ((hash & 1048575) + ((hash >> 20 & 1048575) | 1)) & (8 * octet_length(filter) - 1))
       and crucible.filter_bit(filter,
            ((hash & 1048575) + 2 * ((hash >> 20 & 1048575) | 1)) & (8 * octet_length(filter) - 1))
       and crucible.filter_bit(filter,
            ((hash & 1048575) + 3 * ((hash >> 20 & 1048575) | 1)) & (8 * octet_length(filter) - 1));

comment on function crucible.filter_has(bytea, bigint) is
    'Whether a filter of crucible.trace_filters may hold a hash: false is certain, true nearly';

comment on table crucible.trace_filters is
    'Bloom filters of the traces and correlation ids that have spans or logs in a day that is over';
comment on column crucible.trace_filters.first_hash is 'Least hash that it may hold';
comment on column crucible.trace_filters.last_hash is 'Greatest hash that it may hold';
comment on column crucible.trace_filters.day is 'The day of the rows, UTC';
comment on column crucible.trace_filters.entry_count is 'Hashes in it';
comment on column crucible.trace_filters.filter is 'Its bits, a power of two; see crucible.filter_has()';

comment on table crucible.late_traces is
    'Traces and correlation ids of rows that came later than a day after theirs, until they are in filters';
comment on column crucible.late_traces.hash is 'See crucible.trace_hash() and crucible.correlation_hash()';
comment on column crucible.late_traces.day is 'The day of the rows, UTC';

comment on table crucible.trace_horizon is
    'How far hints reach that say in which days a trace or a correlation id has rows; one row';
comment on column crucible.trace_horizon.is_only is 'True: the key of the only row';
comment on column crucible.trace_horizon.covered_until is
    'Days before it have hints, UTC; later ones are always looked into; null: none have';
comment on column crucible.trace_horizon.late_before is
    'Windows that begin now write down what they have of days before it, UTC; null: nothing';
comment on column crucible.trace_horizon.hash_check is
    'crucible.hash_check() of the server that made the hints';
