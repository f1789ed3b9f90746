-- What is each relation, and what does a column hold where its name is not enough?

comment on schema crucible is
    'Crucible Telemetry: everything its collectors store. Times are UTC; durations are nanoseconds.';

comment on table crucible.migrations is 'Which numbered migrations were applied, with their hashes';

comment on table crucible.positions is
    'How far each journal has been written: moved in the transaction that writes the rows';
comment on column crucible.positions.journal_id is 'Random, written into the journal when it was made';
comment on column crucible.positions.position is 'Logical byte offset of the first entry not yet written';
comment on column crucible.positions.stored_until is
    'Everything that its collector received before this, by its own clock, is stored';
comment on column crucible.positions.heard_since is
    'Since when its collector has taken requests without a break, by its own clock; null: it has ended '
    'and left nothing in its journal';
comment on column crucible.positions.decided_position is
    'Up to where spans and logs are decided and stored; null: as far as everything else';

comment on table crucible.windows is
    'How each journal was cut into windows, as long as spans and logs of one may still have to be decided';
comment on column crucible.windows.start_position is 'Logical byte offset of its first entry';
comment on column crucible.windows.end_position is 'Logical byte offset after its last entry';
comment on column crucible.windows.duplicates is
    'Requests of the window, from 0, that had been stored before';

comment on table crucible.sampling_settings is
    'Which sampling rules there have been; the newest version is in force, for every collector';
comment on column crucible.sampling_settings.origin is
    'file: from the settings of a collector; api: from PUT /api/v1/sampling';

comment on table crucible.sampling_ledger is
    'What each sampling rule saw and kept in each minute, exactly; also where nothing was kept';
comment on column crucible.sampling_ledger.time is 'Start of the minute of receipt, UTC; after a week of the hour, after 90 days of the day';
comment on column crucible.sampling_ledger.probability_min is
    'Smallest inclusion probability of anything seen, kept or not';
comment on column crucible.sampling_ledger.stratum is
    'By which the rule tells records apart; empty: it does not; other: all beyond the first hundred';

comment on table crucible.ledger is
    'What became of every record: received = stored + sampled (by rule) + filtered + rejected (by reason) '
    '+ duplicate';
comment on column crucible.ledger.signal is 'spans, data_points or log_records';
comment on column crucible.ledger.reason is
    'Why rejected, by which setting filtered, or by which rule sampled out; empty for every other outcome';

comment on table crucible.requests is
    'Digests of the requests stored lately, by which a resent one is recognised';
comment on column crucible.requests.digest is
    'First 16 bytes of SHA-256 over the signal and the body as received, decompressed';

comment on table crucible.retention is
    'For how long the rows of each relation are kept, as last chosen by a setting; empty: all for ever';
comment on column crucible.retention.relation is 'A relation with a time, or a roll-up by its view';
comment on column crucible.retention.kept is
    'Rows older than this are dropped, part by part or within the hour; null: none ever';
comment on column crucible.retention.dropped_before is
    'Rows older than this may be gone by what was chosen earlier, UTC; null: none are';
comment on column crucible.retention.last_run_at is
    'When a collector last dropped what is older, UTC; null: not yet, or TimescaleDB does it';

comment on table crucible.experiments is 'One experiment: its name and when it was seen';
comment on column crucible.experiments.first_seen is 'Earliest time of any of its records';
comment on column crucible.experiments.last_seen is 'Latest time of any of its records';

comment on column crucible.experiments.active_duration_ns is
    'Time that the newest stretch of work on it went on, pauses left out, as its stop told';
comment on column crucible.experiments.pause_reason is 'Of its newest pause, over or not';
comment on column crucible.experiments.abort_reason is 'Why it was last given up; is_aborted says if it is';
comment on column crucible.experiments.status_at is
    'Time of the event that the status is from: a later one replaces it, whichever is stored first';

comment on table crucible.runs is 'One run of an experiment: what ran, how it ended, how far it came';
comment on column crucible.runs.kind is 'training or pipeline; null where only a run id was seen';
comment on column crucible.runs.status_at is
    'Time of the start or end that the status is from; null where only other records were seen';
comment on column crucible.runs.last_received_at is
    'Newest receipt of any of its records, by the clock of the collector that received it';
comment on column crucible.runs.heartbeat_interval_s is
    'The longest that it promised between two signs of life; null where it promised nothing';
comment on column crucible.runs.experiment_received_at is
    'First receipt of a record that told of its experiment, which decides whose it is; null: before this was noted';
comment on column crucible.runs.stalled_at is 'When it was declared stalled; null unless it is';
comment on column crucible.runs.parent_run_id is
    'crucible.run.parent_id: the run, a pipeline say, that this one is a part of';
comment on column crucible.runs.trace_id is 'The trace of the run''s own span; its epochs have others';
comment on column crucible.runs.config is 'crucible.training.config as sent';
comment on column crucible.runs.summary is 'Last numbers that the end of the run carried';

comment on table crucible.resources is 'OTLP resources, by a 63-bit hash of their content';
comment on column crucible.resources.attributes is
    'All of them, those with a column included. Marks in any attributes: {"$double": …} is a NaN, an '
    'infinity or -0.0, {"$bytes": …} is base64, {"$kvlist": {…}} a map with keys that begin with $';

comment on table crucible.scopes is 'OTLP instrumentation scopes, by a 63-bit hash of their content';

comment on table crucible.series is
    'What a number is a number of: one measurement of one run, or one OTLP metric with its attributes';
comment on column crucible.series.source is
    'event: a measurement on a span; metric: an OTLP data point';
comment on column crucible.series.original_metric is
    'The name as sent, where the registry''s aliases made metric of it; else null';
comment on column crucible.series.temporality is 'As sent; null for gauges, summaries and measurements';
comment on column crucible.series.number_kind is 'What its latest number was sent as';

comment on table crucible.spans is
    'Every span and event. A life-cycle pair (start, stop or exception) is one span';
comment on column crucible.spans.time is 'Start, to the microsecond; receipt where the sender gave none';
comment on column crucible.spans.time_ns_rest is 'Nanoseconds of the start below the microsecond, 0 to 999';
comment on column crucible.spans.duration_ns is '0 for a point event, and where the end lay before the start';
comment on column crucible.spans.span_id is
    'The eight bytes as a signed number: lpad(to_hex(span_id), 16, ''0'') is what a person knows';
comment on column crucible.spans.event_name is
    'The event that the span is, as in crucible_train.epoch.stop; of a span that is none, its name';
comment on column crucible.spans.original_event_name is
    'The event''s name as sent (crucible.event.name, else the span''s name), where the registry''s aliases '
    'made event_name of it; else null';
comment on column crucible.spans.kind is 'OTLP SpanKind, 0 to 5';
comment on column crucible.spans.status_code is '0 unset, 1 ok, 2 error';
comment on column crucible.spans.correlation_id is 'Null: the trace id in hex';
comment on column crucible.spans.attributes is
    'Without those that have a column: crucible.experiment.id, .run.id, .condition, .correlation.id, '
    '.step, .epoch. Marks as in crucible.resources';
comment on column crucible.spans.events is 'Array of OTLP span events; null where there is none';
comment on column crucible.spans.links is 'Array of OTLP span links; null where there is none';
comment on column crucible.spans.dropped_attributes_count is 'Null or 0: none was dropped by the sender';
comment on column crucible.spans.sample_probability is 'Inclusion probability: the row stands for 1 over it';
comment on column crucible.spans.sample_threshold is
    'Rejection threshold T of 56 bits, kept where the trace''s randomness is at least T; null: not sampled';
comment on column crucible.spans.trace_span_count is 'Spans of its trace in the window in which it was stored';
comment on column crucible.spans.keep_reason is
    'Why sampling kept it: error, anomaly, slow (these with _thinned where the budget made even them a '
    'choice), match, cost, quota, random, trace, upstream; null where nobody sampled it';
comment on column crucible.spans.upstream_threshold is
    'Rejection threshold that its sender had applied; null: the sender told none';

comment on table crucible.points is 'One number of one series at one time';
comment on column crucible.points.value is 'May be NaN or infinite; null where the sender recorded none';
comment on column crucible.points.value_int is 'The integer, only where value is not exactly it';
comment on column crucible.points.step is 'crucible.step of the event that carried it';
comment on column crucible.points.start_time is 'Start of the interval that a sum covers';
comment on column crucible.points.flags is 'OTLP data point flags; null or 0: none';
comment on column crucible.points.exemplars is 'Array of OTLP exemplars; null where there is none';

comment on table crucible.histograms is
    'One distribution of one series at one time: explicit (bounds, counts), exponential (scale, offsets, '
    'counts) or summary (bounds are quantiles, quantile_values their values)';
comment on column crucible.histograms.counts is 'Of the buckets; of the positive ones where exponential';

comment on table crucible.logs is 'OTLP log records';
comment on column crucible.logs.time is 'When it happened; else when it was observed; else receipt';
comment on column crucible.logs.original_event_name is
    'The event name as sent, where the registry''s aliases made event_name of it; else null';
comment on column crucible.logs.severity_number is 'OTLP: 1 to 4 trace, debug 5, info 9, warn 13, error 17, fatal 21';
comment on column crucible.logs.body is 'OTLP AnyValue; marks as in crucible.resources';
comment on column crucible.logs.correlation_id is 'Null: the trace id in hex, if there is one';

comment on column crucible.spans.count_variance is
    'Term of the variance of count in span_rollup, clustered by trace; null: 0';
comment on column crucible.spans.duration_variance is
    'The same of duration_sum_ns, ns squared; null: 0';
comment on column crucible.spans.input_token_variance is 'The same of input_token_sum; null: 0';
comment on column crucible.spans.output_token_variance is 'The same of output_token_sum; null: 0';
comment on column crucible.spans.cost_variance is 'The same of cost_sum_usd, USD squared; null: 0';
comment on column crucible.spans.latency_variance is
    'The same of count in span_latency, whose rows are durations of nearly one length; null: 0';
comment on column crucible.spans.error_variance is
    'The same of error_count, over all of the trace; null: 0';
comment on column crucible.spans.count_trace_variance is
    'As count_variance, over all events of the trace: for sums over several; null: 0';
comment on column crucible.spans.duration_trace_variance is
    'As duration_variance, over all events of the trace; null: 0';
comment on column crucible.spans.input_token_trace_variance is
    'As input_token_variance, over all events of the trace; null: 0';
comment on column crucible.spans.output_token_trace_variance is
    'As output_token_variance, over all events of the trace; null: 0';
comment on column crucible.spans.cost_trace_variance is
    'As cost_variance, over all events of the trace; null: 0';
comment on column crucible.spans.uncertain_event_traces is
    'Its share in the number of traces that this event had by chance (probability below 1); null: 0';
comment on column crucible.spans.uncertain_traces is
    'Its share in the number of traces that are here by chance (probability below 1); null: 0';
