-- Where a trace may lie. Nothing about a trace id, or a correlation id, says when it was: without a hint
-- every part of the store is planned for and its index read (106 ms for 12 compressed chunks of 222,000
-- spans). So each day that is over gets Bloom filters of what has rows in it, and what comes after they
-- were made is written down one by one until it is added to them.

-- A day may have several. Made of a sorted list, each holds hashes of a range, so a look-up reads one a
-- day however many there are; what was added later has a filter for any hash.
create table crucible.trace_filters (
    first_hash bigint not null,
    last_hash bigint not null,
    day date not null,
    entry_count int not null,
    filter bytea not null
);

-- Neither compressed nor read whole: four bits of it are asked for, each in one piece of 2 kB.
alter table crucible.trace_filters alter column filter set storage external;

create index trace_filters_day on crucible.trace_filters (day);

-- Not unique, so that windows that say the same do not wait for each other.
create table crucible.late_traces (
    hash bigint not null,
    day date not null
);

create index late_traces_hash on crucible.late_traces (hash);

-- One row. Days before covered_until are answered by the two relations above. A window that begins to be
-- written writes down what it has of days before late_before, which is never less.
create table crucible.trace_horizon (
    is_only boolean primary key default true check (is_only),
    covered_until date,
    late_before date,
    hash_check bigint,
    check (covered_until <= late_before)
);

insert into crucible.trace_horizon default values;
