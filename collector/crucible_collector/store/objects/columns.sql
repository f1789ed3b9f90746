-- What does each column hold? Every column has a comment; these are the ones that say the same wherever
-- they stand, and those whose meaning a name nearly says. comments.sql, which follows, is about the rest.

do $$
declare
    each record;
begin
    for each in
        select relname, attname, meaning
        from (values
            ('attributes', 'Map of attributes as sent; marks as in crucible.resources'),
            ('condition', 'crucible.condition: the arm of the experiment, such as lr=1e-3'),
            ('description', 'As the sender described it'),
            ('dropped_attributes_count', 'Attributes that the sender left out; null or 0: none'),
            ('epoch', 'crucible.epoch, from 0'),
            ('experiment_id', 'crucible.experiment.id; see crucible.experiments'),
            ('first_seen', 'Earliest time of anything of it, UTC'),
            ('flags', 'Flags as OTLP defines them; null or 0: none'),
            ('journal_id', 'The journal of one collector; see crucible.positions'),
            ('last_seen', 'Latest time of anything of it, UTC'),
            ('resource_id', 'What it came from; see crucible.resources'),
            ('run_id', 'crucible.run.id; see crucible.runs'),
            ('sample_probability', 'Inclusion probability: the row stands for 1 over it'),
            ('sample_threshold', 'Rejection threshold of 56 bits; null: not sampled'),
            ('schema_url', 'Of the semantic conventions that its attributes follow'),
            ('scope_id', 'The instrumentation that made it; see crucible.scopes'),
            ('series_id', 'What it is a number of; see crucible.series'),
            ('service_name', 'service.name of the resource'),
            ('start_time', 'Start of the interval that it covers, UTC; null: unknown'),
            ('step', 'crucible.step: the step of the optimiser'),
            ('time', 'When, UTC, to the microsecond'),
            ('time_ns_rest', 'Nanoseconds of time below the microsecond, 0 to 999'),
            ('trace_id', 'The 16 bytes of the trace id: replace(trace_id::text, ''-'', '''') is its hex'),
            ('updated_at', 'When the row last changed, by the database''s clock, UTC'),
            ('keep_reason', 'Why sampling kept it; null where nobody sampled it'),
            ('upstream_threshold', 'Rejection threshold that its sender had applied; null: none was told'),
            ('exemplars', 'Array of OTLP exemplars; null where there is none'),
            ('correlation_id', 'crucible.correlation.id as sent; null: none was sent')
        ) as told (column_name, meaning)
        join pg_attribute on attname = told.column_name and not attisdropped
        join pg_class on pg_class.oid = attrelid
        where relnamespace = 'crucible'::regnamespace and relkind in ('r', 'p') and not relispartition
        order by relname, attnum
    loop
        execute format('comment on column crucible.%I.%I is %L', each.relname, each.attname, each.meaning);
    end loop;
end
$$;

comment on column crucible.migrations.name is 'The file; objects stands for functions, views and comments';
comment on column crucible.migrations.sha256 is 'Of its text, in hex';
comment on column crucible.migrations.applied_at is 'When it was applied, UTC';

comment on column crucible.positions.description is 'Host and data directory of the collector that writes it';

comment on column crucible.ledger.count is 'Records';
comment on column crucible.ledger.outcome is 'received, stored, sampled, filtered, rejected or duplicate';

comment on column crucible.requests.received_at is 'When it was first received, by the collector''s clock, UTC';

comment on column crucible.experiments.experiment_id is 'crucible.experiment.id: its key';
comment on column crucible.experiments.name is 'crucible.experiment.name, for people';
comment on column crucible.experiments.hypothesis is 'What it is to show, as its start told';
comment on column crucible.experiments.status is 'running, paused, stopped or archived';
comment on column crucible.experiments.tags is 'As its start told';
comment on column crucible.experiments.metadata is 'Map, as its start told';
comment on column crucible.experiments.owner is 'Whose it is, as its start told';
comment on column crucible.experiments.experiment_type is 'What kind of experiment, as its start told';
comment on column crucible.experiments.paused_duration_ns is 'Time that its newest stretch of work was paused, ns';
comment on column crucible.experiments.pause_count is 'How often its newest stretch of work was paused';
comment on column crucible.experiments.is_aborted is 'Whether it was given up; null where nothing told';

comment on column crucible.runs.run_id is 'crucible.run.id: its key';
comment on column crucible.runs.started_at is 'Start of its training or pipeline, UTC; null until told';
comment on column crucible.runs.ended_at is 'End of its training or pipeline, UTC; null until told';
comment on column crucible.runs.last_step is 'Highest step of any of its records';
comment on column crucible.runs.last_epoch is 'Highest epoch of any of its records';
comment on column crucible.runs.status is
    'pending, running, completed, failed, cancelled, early_stopped or stalled';
comment on column crucible.runs.model_name is 'crucible.model.name: what is trained';
comment on column crucible.runs.model_version is 'crucible.model.version';
comment on column crucible.runs.dataset_name is 'crucible.dataset.name: what it is trained on';

comment on column crucible.resources.resource_id is 'XXH64 of its canonical form, 63 bits: its key';
comment on column crucible.resources.first_seen is 'Receipt of its first record, UTC';
comment on column crucible.resources.service_version is 'service.version';
comment on column crucible.resources.service_instance_id is 'service.instance.id';
comment on column crucible.resources.host_name is 'host.name';

comment on column crucible.scopes.scope_id is 'XXH64 of its canonical form, 63 bits: its key';
comment on column crucible.scopes.first_seen is 'Receipt of its first record, UTC';
comment on column crucible.scopes.name is 'The instrumentation''s name';
comment on column crucible.scopes.version is 'The instrumentation''s version';

comment on column crucible.series.series_id is 'XXH64 of what identifies it, 63 bits: its key';
comment on column crucible.series.rank is 'Rank of the process in a distributed training; null: not said';
comment on column crucible.series.first_seen is 'Receipt of its first record, UTC';
comment on column crucible.series.last_seen is 'Receipt of its latest record, UTC, to about a minute';
comment on column crucible.series.is_monotonic is 'Of a sum, whether it only grows; else null';
comment on column crucible.series.kind is
    'measurement, gauge, sum, histogram, exponential_histogram or summary';
comment on column crucible.series.metric is 'The number''s name, such as loss';
comment on column crucible.series.event_name is 'The event that it is measured on; null for OTLP metrics';
comment on column crucible.series.unit is 'As the sender gave it (UCUM); null: none';
comment on column crucible.series.attributes is 'Of the data point, which tell this series from its neighbours';

comment on column crucible.spans.parent_span_id is 'As span_id; null: a root';
comment on column crucible.spans.input_tokens is 'gen_ai.usage.input_tokens';
comment on column crucible.spans.output_tokens is 'gen_ai.usage.output_tokens';
comment on column crucible.spans.cost_usd is 'crucible.measurement.cost_usd, US dollars';
comment on column crucible.spans.dropped_events_count is 'Events that the sender left out; null or 0: none';
comment on column crucible.spans.dropped_links_count is 'Links that the sender left out; null or 0: none';
comment on column crucible.spans.name is 'The span''s name as sent';
comment on column crucible.spans.status_message is 'What went wrong, as the sender said';
comment on column crucible.spans.model is
    'The model that answered (gen_ai.response.model), else the one asked, else crucible.model.name';
comment on column crucible.spans.trace_state is 'W3C tracestate as sent';

comment on column crucible.histograms.count is 'Values in the distribution';
comment on column crucible.histograms.sum is 'Of the values; null: not sent';
comment on column crucible.histograms.min is 'Least value; null: not sent';
comment on column crucible.histograms.max is 'Greatest value; null: not sent';
comment on column crucible.histograms.zero_count is 'Exponential: values within zero_threshold of 0';
comment on column crucible.histograms.zero_threshold is 'Exponential: what counts as 0';
comment on column crucible.histograms.scale is 'Exponential: buckets grow by the factor 2^(2^-scale)';
comment on column crucible.histograms.positive_offset is 'Exponential: index of the first positive bucket';
comment on column crucible.histograms.negative_offset is 'Exponential: index of the first negative bucket';
comment on column crucible.histograms.bounds is 'Upper bounds of all buckets but the last; of a summary, its quantiles';
comment on column crucible.histograms.negative_counts is 'Exponential: counts of the negative buckets';
comment on column crucible.histograms.quantile_values is 'Summary: the value at each quantile in bounds';

comment on column crucible.logs.observed_time is 'When it was observed, UTC, as sent; null: not sent';
comment on column crucible.logs.span_id is 'The span that it belongs to, as in crucible.spans; null: none';
comment on column crucible.logs.severity_text is 'The severity''s name as sent';
comment on column crucible.logs.event_name is 'The event that the record is; null: it is none';

comment on column crucible.sampling_settings.version is 'Rises with every change: its key';
comment on column crucible.sampling_settings.changed_at is 'When, by the database''s clock, UTC';
comment on column crucible.sampling_settings.changed_by is 'Who, as they said; empty: nobody did';
comment on column crucible.sampling_settings.reason is 'Why, as they said; empty: nobody did';
comment on column crucible.sampling_settings.settings is 'The rules, as PUT /api/v1/sampling takes them';
comment on column crucible.sampling_settings.digest is 'Of the rules: the same for the same rules';

comment on column crucible.sampling_ledger.rule is 'The name of the rule that the records came to';
comment on column crucible.sampling_ledger.signal is 'spans or log_records';
comment on column crucible.sampling_ledger.seen_count is 'Records that came';
comment on column crucible.sampling_ledger.kept_count is 'Of these, what is stored';
comment on column crucible.sampling_ledger.weight_sum is 'Sum of 1/p of what was kept: an estimate of seen_count';
comment on column crucible.sampling_ledger.weight_square_sum is 'Sum of 1/p^2 of what was kept';
comment on column crucible.sampling_ledger.error_seen_count is 'Records with an error that came';
comment on column crucible.sampling_ledger.error_kept_count is 'Of these, what is stored';
comment on column crucible.sampling_ledger.trace_count_max is
    'Most records that one trace had in a window: so many one that was not kept may have had';
comment on column crucible.sampling_ledger.error_probability_min is
    'As probability_min, of records with an error';

comment on column crucible.detection_settings.version is 'Rises with each change';
comment on column crucible.detection_settings.changed_at is 'Since when it is in force, UTC';
comment on column crucible.detection_settings.changed_by is 'Who, as they said; of a file the collector''s host and data directory';
comment on column crucible.detection_settings.reason is 'Why, in that person''s words; empty: none was given';
comment on column crucible.detection_settings.settings is 'All of them, with every default';
comment on column crucible.detection_settings.digest is 'Of the settings: two versions that say the same have the same';

comment on column crucible.anomaly_feed.written_at is 'When it was written, UTC';
comment on column crucible.anomaly_feed.period_id is 'See crucible.anomaly_periods';

comment on column crucible.alert_outbox.alert_id is 'Its key: rises in the order in which alerts are made';
comment on column crucible.alert_outbox.created_at is 'When it was made, UTC';
comment on column crucible.alert_outbox.attempt_count is 'How often it was tried';
comment on column crucible.alert_outbox.period_id is 'What it is about; see crucible.anomaly_periods';

comment on column crucible.anomaly_scans.scan_id is 'Random: its key';
comment on column crucible.anomaly_scans.created_at is 'When it was asked for, UTC';
comment on column crucible.anomaly_scans.finished_at is 'When it ended, however it did, UTC; null: it has not';
