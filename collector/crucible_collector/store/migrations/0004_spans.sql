-- Every span and event. Columns lie in order of alignment: eight-byte ones first, text last.
--
-- What an index costs here decides the rate of ingest. Measured in CPU µs of the writing backend a span
-- (COPY of windows of 8,192 spans of 430 bytes, from 7 and from 1,000 runs, PostgreSQL 18 and TimescaleDB
-- 2.28 on PostgreSQL 15, two cores; a plain table with a time index and all attributes in jsonb: 4.8–7.1):
--   the row without any index                    3.7–5.5
--   + (time)                                     1.1–1.6
--   + (run_id, time)                             1.7–2.7   rows sorted by run; 2.9–3.9 in wire order
--   + (event_name, time)                         1.3–2.7   hence not for the batches, which are the mass
--   + btree (trace_id)                           1.5–2.6   at 250,000 rows; random, so worse with size
--   + brin (trace_id) with bloom filters         0.6 at most; 0.6 more aside, for both BRIN indexes,
--                                                          when maintenance summarises

create table crucible.spans (
    time timestamptz not null,
    duration_ns bigint not null,
    span_id bigint not null,
    parent_span_id bigint,
    resource_id bigint not null,
    scope_id bigint not null,
    step bigint,
    epoch bigint,
    input_tokens bigint,
    output_tokens bigint,
    cost_usd float8,
    flags bigint,
    dropped_attributes_count bigint,
    dropped_events_count bigint,
    dropped_links_count bigint,
    sample_probability float8 not null default 1,
    sample_threshold bigint,
    trace_span_count int,
    time_ns_rest smallint not null default 0,
    kind smallint not null default 0,
    status_code smallint not null default 0,
    trace_id uuid not null,
    name text collate "C" not null,
    event_name text collate "C",
    status_message text,
    experiment_id text collate "C",
    run_id text collate "C",
    condition text collate "C",
    correlation_id text collate "C",
    model text collate "C",
    trace_state text,
    keep_reason text collate "C",
    attributes jsonb,
    events jsonb,
    links jsonb
) /* partitioned by time */;

select crucible.store_by_time('spans');

-- Newest first, whatever else is asked: the order of every list of events.
create index spans_time on crucible.spans (time);

create index spans_run on crucible.spans (run_id, time) where run_id is not null;

-- Events of an experiment are those of its runs and these.
create index spans_experiment on crucible.spans (experiment_id, time)
    where run_id is null and experiment_id is not null;

-- Batches are nearly all of the spans there are, so the time index finds them at once; what is rare
-- among them is found here.
create index spans_event on crucible.spans (event_name, time)
    where event_name <> 'crucible_train.batch.stop';

create index spans_errors on crucible.spans (time) where status_code = 2;

-- Writing costs almost nothing; a look-up reads all of the index, 0.4 % of the relation's size: 0.2 ms
-- for 400,000 spans and 1.2 to find the rows. A time bound is welcome where there are many.
-- 64 pages hold some 1,000 spans, each perhaps of another trace; of the ranges without the trace, one
-- in a thousand is read in vain. The planner cannot know how well these indexes do: connect.READ.
create index spans_trace on crucible.spans
    using brin (trace_id uuid_bloom_ops (n_distinct_per_range = 1000, false_positive_rate = 0.001))
    with (pages_per_range = 64, autosummarize = off);

create index spans_correlation on crucible.spans
    using brin (correlation_id text_bloom_ops (n_distinct_per_range = 1000, false_positive_rate = 0.001))
    with (pages_per_range = 64, autosummarize = off);
