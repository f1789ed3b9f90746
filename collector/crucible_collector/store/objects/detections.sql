-- What did detectors flag, and what has become of it? Comments on both relations, and the view for people.

comment on table crucible.anomalies is
    'One value that a detector flagged, with what it expected; flags that follow each other are a period';
comment on column crucible.anomalies.time is 'Time of the value; where silence was flagged, when it was noticed';
comment on column crucible.anomalies.series_id is 'See crucible.series; null: it is no number of a series';
comment on column crucible.anomalies.span_id is 'The span that carried the value, as in crucible.spans; null: none';
comment on column crucible.anomalies.trace_id is 'The trace of that span; null: none';
comment on column crucible.anomalies.value is
    'What was tested: the number, or what the detector makes of it (a rate, a mean); may be NaN or infinite; null where the lack of one was flagged';
comment on column crucible.anomalies.expected is 'By the detector before it saw the value; null: it says none';
comment on column crucible.anomalies.lower is 'Below this it is anomalous; null: there is no such bound';
comment on column crucible.anomalies.upper is 'Above this it is anomalous; null: there is no such bound';
comment on column crucible.anomalies.score is 'Above 1 is anomalous; infinite for a value that is not finite';
comment on column crucible.anomalies.starts_period is 'Whether its period began with it';
comment on column crucible.anomalies.period_id is 'The period that it is part of; see crucible.anomaly_periods';

comment on table crucible.anomaly_periods is
    'Flags that follow each other in one series, as one thing that happened, and what became of it';
comment on column crucible.anomaly_periods.period_id is 'Random: its key';
comment on column crucible.anomaly_periods.series_id is 'See crucible.series; null: it is about no series';
comment on column crucible.anomaly_periods.started_at is 'Time of its first flag, UTC';
comment on column crucible.anomaly_periods.ended_at is 'When the series was back, UTC; null: it is not yet';
comment on column crucible.anomaly_periods.last_flag_at is 'Time of its latest flag, UTC';
comment on column crucible.anomaly_periods.flag_count is 'Values that were flagged';
comment on column crucible.anomaly_periods.peak_score is 'Largest score of its flags';
comment on column crucible.anomaly_periods.peak_value is 'The value that had it; null where the lack of one was flagged';
comment on column crucible.anomaly_periods.state is 'active, acknowledged, resolved or silenced';
comment on column crucible.anomaly_periods.state_at is 'When it came to be so, UTC';
comment on column crucible.anomaly_periods.state_by is 'Who made it so; null: it came so by itself';
comment on column crucible.anomaly_periods.state_reason is 'Why, in that person''s words or the collector''s; null: none was given';

comment on column crucible.anomaly_periods.first_step is 'Step of its first flag; null: the numbers have none';
comment on column crucible.anomaly_periods.last_step is 'Step of its latest flag; null: the numbers have none';
comment on column crucible.anomaly_periods.first_value is 'The value that it began with; null where the lack of one was flagged';
comment on column crucible.anomaly_periods.trace_id is 'The trace that carried its first flag; null: none';
comment on column crucible.anomaly_periods.span_id is 'The span that carried its first flag; null: none';
comment on column crucible.anomaly_periods.peak_at is 'Time of the flag with the largest score, UTC';
comment on column crucible.anomaly_periods.peak_expected is 'What was expected instead of peak_value; null: nothing was';
comment on column crucible.anomaly_periods.peak_lower is 'Below this peak_value would have been anomalous; null: no such bound';
comment on column crucible.anomaly_periods.peak_upper is 'Above this peak_value would have been anomalous; null: no such bound';
comment on column crucible.anomaly_periods.rule is 'The rule of the settings that has it watched; empty: the registry does';
comment on column crucible.anomaly_periods.updated_at is
    'When a collector last added to it, by the database''s clock; null: it is of a scan';

comment on table crucible.anomaly_feed is
    'What happens to periods of anomalies, in the order of its commits; for a week';
comment on column crucible.anomaly_feed.feed_id is 'A reader who knows the last one it saw misses nothing';
comment on column crucible.anomaly_feed.kind is
    'opened, continued (as often as its flags have doubled), escalated, acknowledged, silenced, reopened or resolved';
comment on column crucible.anomaly_feed.body is
    'The period as it was then, as REST gives it, with the newest flag that it has a row of';

comment on table crucible.alert_outbox is
    'Alerts to webhooks: written with the period that they are about, sent afterwards';
comment on column crucible.alert_outbox.due_at is 'When it is to be tried next, UTC';
comment on column crucible.alert_outbox.claimed_until is
    'Until when a collector is at it, UTC; null: none has been';
comment on column crucible.alert_outbox.sent_at is 'When it arrived, UTC; null: not yet';
comment on column crucible.alert_outbox.given_up_at is 'Since when it is not tried any more, UTC; null: it is';
comment on column crucible.alert_outbox.kind is 'firing, once a period and webhook, or resolved, after that';
comment on column crucible.alert_outbox.webhook is 'Its name in the settings of detection';
comment on column crucible.alert_outbox.severity is 'Of the period when the alert was made';
comment on column crucible.alert_outbox.last_error is 'Why the latest attempt failed; null: it did not';

comment on table crucible.detection_settings is
    'Which settings of detection there have been; the newest version is in force, for every collector';
comment on column crucible.detection_settings.origin is
    'file: from the settings of a collector; api: from PUT /api/v1/anomalies/settings';

comment on table crucible.anomaly_scans is 'Detectors that were run over stored rows, and what they found';
comment on column crucible.anomaly_scans.updated_at is
    'When its collector last said that it goes on, UTC; where it runs and this is old, nobody is at it';
comment on column crucible.anomaly_scans.progress is 'Share of its series that are done, 0 to 1';
comment on column crucible.anomaly_scans.state is 'running, completed, failed or cancelled';
comment on column crucible.anomaly_scans.label is
    'Under which it writes what it finds; empty: it only reports';
comment on column crucible.anomaly_scans.request is 'What was to be scanned, and how';
comment on column crucible.anomaly_scans.report is 'What it found; null: it is not done';
comment on column crucible.anomaly_scans.error is 'Why it failed; null: it did not';

do $$
declare
    each record;
begin
    for each in
        select relation, attname, meaning
        from (values
            ('detector', 'The method that flagged it, such as ewma'),
            ('event_name', 'The event that it is about; null: none'),
            ('label', 'Empty: found in the stream; else the label of the scan that found it'),
            ('metric', 'What was watched, such as loss'),
            ('model', 'The model that it is about; null: none'),
            ('watch_key', 'What was watched as one series: a hash; null: it is older than these'),
            ('severity', 'info, warning or critical; of a period, the highest of its flags')
        ) as told (column_name, meaning)
        cross join (values ('anomalies'), ('anomaly_periods')) as about (relation)
        join pg_attribute on attname = column_name and not attisdropped
            and attrelid = format('crucible.%I', relation)::regclass
    loop
        execute format('comment on column crucible.%I.%I is %L', each.relation, each.attname, each.meaning);
    end loop;
end
$$;

create or replace view crucible.anomaly_period_summary as
select
    p.started_at,
    p.ended_at,
    extract(epoch from coalesce(p.ended_at, p.last_flag_at) - p.started_at)::float8 as duration_s,
    p.state,
    p.severity,
    p.metric,
    p.experiment_id,
    p.run_id,
    p.condition,
    p.event_name,
    p.model,
    p.detector,
    p.label,
    p.flag_count,
    p.peak_score,
    p.peak_value,
    s.unit,
    p.last_flag_at,
    p.state_at,
    p.state_by,
    p.state_reason,
    p.period_id
from crucible.anomaly_periods p
left join crucible.series s on s.series_id = p.series_id;

comment on view crucible.anomaly_period_summary is
    'One row a period of anomalies: ask for a state or a run_id, the newest started_at first';

do $$
declare
    each record;
begin
    for each in
        select attname, coalesce(
            case attname
                when 'duration_s' then 'From its first flag to its end, seconds; until its latest flag while it goes on'
                when 'unit' then 'Of the values, as the sender gave it; null: none'
            end,
            col_description('crucible.anomaly_periods'::regclass, (
                select attnum from pg_attribute base
                where base.attrelid = 'crucible.anomaly_periods'::regclass and base.attname = own.attname))
        ) as meaning
        from pg_attribute own
        where attrelid = 'crucible.anomaly_period_summary'::regclass and attnum > 0 and not attisdropped
    loop
        execute format('comment on column crucible.anomaly_period_summary.%I is %L', each.attname, each.meaning);
    end loop;
end
$$;
