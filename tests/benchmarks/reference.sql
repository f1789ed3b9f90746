-- Reference B: where spans lie at their cheapest and can still be found by time.
-- Frozen, so that slow tables of ours cannot make our ratio to it look good.
create schema bench;

create table bench.spans (
    time timestamptz not null,
    duration_ns bigint not null,
    span_id bigint not null,
    parent_span_id bigint,
    kind smallint not null,
    status_code smallint not null,
    trace_id uuid not null,
    name text not null,
    attributes jsonb
);

create index on bench.spans (time);
