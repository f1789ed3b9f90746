-- What do people who bring SQL or Grafana ask for? Friendly names, units in them, ids in hex, sampled rows
-- weighted. They lean on the indexes of what they read; a condition on run_id or time reaches those.
-- `create or replace` adds columns at the end and keeps whatever others have built on a view; so columns
-- are only ever added, and there.

create or replace function crucible.number_of(value jsonb) returns float8
    language sql immutable parallel safe
    return case jsonb_typeof(value)
        when 'number' then value::float8
        when 'object' then (value ->> '$double')::float8
    end;

comment on function crucible.number_of(jsonb) is
    'The number in an attribute, NaN and infinities included; null where it is none';

create or replace view crucible.experiment_summary as
select
    e.experiment_id,
    e.name,
    e.status,
    e.owner,
    e.hypothesis,
    r.run_count,
    r.running_count,
    r.completed_count,
    r.failed_count,
    e.first_seen,
    e.last_seen,
    e.active_duration_ns / 1e9::float8 as active_duration_s
from crucible.experiments e
cross join lateral (
    select
        count(*) as run_count,
        count(*) filter (where status = 'running') as running_count,
        count(*) filter (where status = 'completed') as completed_count,
        count(*) filter (where status = 'failed') as failed_count
    from crucible.runs
    where runs.experiment_id = e.experiment_id
) r;

comment on view crucible.experiment_summary is 'One row an experiment: what it is and how its runs are';

create or replace view crucible.run_summary as
select
    r.run_id,
    r.experiment_id,
    e.name as experiment_name,
    r.condition,
    r.kind,
    r.status,
    r.started_at,
    r.ended_at,
    extract(epoch from coalesce(r.ended_at, r.last_seen) - coalesce(r.started_at, r.first_seen))::float8
        as duration_s,
    r.model_name,
    r.model_version,
    r.dataset_name,
    r.last_step,
    r.last_epoch,
    r.last_seen,
    case when r.status in ('running', 'stalled')
        then extract(epoch from now() - r.last_received_at)::float8 end as silent_s,
    r.parent_run_id,
    r.service_name,
    d.host_name,
    r.config,
    r.summary
from crucible.runs r
left join crucible.experiments e on e.experiment_id = r.experiment_id
left join crucible.resources d on d.resource_id = r.resource_id;

comment on view crucible.run_summary is 'One row a run: what it is, how it is, how far it came';

create or replace view crucible.metric_curve as
select
    s.run_id,
    s.experiment_id,
    s.metric,
    p.step,
    p.time,
    p.value,
    s.unit,
    s.event_name,
    s.rank
from crucible.series s
join crucible.points p on p.series_id = s.series_id
where s.kind in ('measurement', 'gauge', 'sum');

comment on view crucible.metric_curve is 'One row a number: ask for a run_id and a metric';

create or replace view crucible.loss_curve as
select
    s.run_id,
    s.experiment_id,
    r.condition,
    p.step,
    p.time,
    p.value as loss,
    s.rank
from crucible.series s
join crucible.points p on p.series_id = s.series_id
left join crucible.runs r on r.run_id = s.run_id
where s.metric = 'loss' and s.event_name = 'crucible_train.batch.stop';

comment on view crucible.loss_curve is 'One row a batch that measured its loss: ask for a run_id';

create or replace view crucible.epoch_summary as
select
    s.run_id,
    s.experiment_id,
    s.condition,
    s.epoch,
    s.time as started_at,
    s.duration_ns / 1e9::float8 as duration_s,
    s.status_code = 2 as is_error,
    crucible.number_of(s.attributes -> 'crucible.measurement.loss') as loss,
    crucible.number_of(s.attributes -> 'crucible.measurement.accuracy') as accuracy,
    crucible.number_of(s.attributes -> 'crucible.measurement.val_loss') as val_loss,
    crucible.number_of(s.attributes -> 'crucible.measurement.val_accuracy') as val_accuracy,
    crucible.number_of(s.attributes -> 'crucible.measurement.learning_rate') as learning_rate,
    crucible.number_of(s.attributes -> 'crucible.measurement.steps') as step_count,
    crucible.number_of(s.attributes -> 'crucible.measurement.samples') as sample_count,
    s.sample_probability
from crucible.spans s
where s.event_name in ('crucible_train.epoch.stop', 'crucible_train.epoch.exception');

comment on view crucible.epoch_summary is 'One row an epoch that has ended and was kept, with the numbers of its end';

create or replace view crucible.slowest_spans as
select
    s.duration_ns / 1e6::float8 as duration_ms,
    s.time,
    s.event_name,
    s.name,
    s.experiment_id,
    s.run_id,
    s.condition,
    s.model,
    case s.status_code when 2 then 'error' when 1 then 'ok' else 'unset' end as status,
    replace(s.trace_id::text, '-', '') as trace_id,
    lpad(to_hex(s.span_id), 16, '0') as span_id,
    s.sample_probability
from crucible.spans s
where s.duration_ns > 0
order by s.duration_ns desc;

comment on view crucible.slowest_spans is
    'Spans, the slowest first: ask for a time or a run_id, and set a limit';

create or replace view crucible.recent_errors as
select
    s.time,
    s.event_name,
    s.name,
    s.status_message,
    s.experiment_id,
    s.run_id,
    s.condition,
    s.model,
    s.duration_ns / 1e6::float8 as duration_ms,
    replace(s.trace_id::text, '-', '') as trace_id,
    lpad(to_hex(s.span_id), 16, '0') as span_id,
    s.sample_probability
from crucible.spans s
where s.status_code = 2
order by s.time desc;

comment on view crucible.recent_errors is 'Spans that failed, the newest first: set a limit';

create or replace view crucible.delivery_summary as
select signal, outcome, reason, sum(count)::bigint as record_count
from crucible.ledger
group by signal, outcome, reason;

comment on view crucible.delivery_summary is
    'The delivery ledger over all collectors: received = stored + sampled + filtered + rejected + duplicate';

create or replace view crucible.collector_summary as
select
    journal_id,
    description,
    heard_since is null as has_ended,
    updated_at as last_write_at,
    extract(epoch from clock_timestamp() - updated_at)::float8 as silent_s,
    stored_until,
    heard_since
from crucible.positions;

comment on view crucible.collector_summary is 'One row a journal: is its collector there, and how far is it stored?';

create or replace view crucible.sampling_by_minute as
select
    time,
    rule,
    signal,
    stratum,
    sum(seen_count)::bigint as seen_count,
    sum(kept_count)::bigint as kept_count,
    sum(kept_count)::float8 / nullif(sum(seen_count), 0)::float8 as kept_share,
    sum(weight_sum) / nullif(sum(kept_count), 0)::float8 as weight_mean,
    min(probability_min) as probability_min,
    sum(error_seen_count)::bigint as error_seen_count,
    sum(error_kept_count)::bigint as error_kept_count
from crucible.sampling_ledger
group by time, rule, signal, stratum;

comment on view crucible.sampling_by_minute is
    'One row a minute, sampling rule, signal and stratum, over all collectors: exactly what was seen and kept';

do $$
declare
    each record;
begin
    for each in
        select relname, attname, meaning
        from (values
            ('accuracy', 'Share that was right, 0 to 1, at its end'),
            ('active_duration_s', 'Work on its newest stretch, pauses left out, seconds'),
            ('completed_count', 'Runs that ended well'),
            ('condition', 'The arm of the experiment, such as lr=1e-3'),
            ('config', 'What the training was configured with'),
            ('dataset_name', 'What it is trained on'),
            ('description', 'Host and data directory of the collector'),
            ('duration_ms', 'From start to end, milliseconds'),
            ('duration_s', 'From start to end, seconds; of a run that goes on, until its newest record'),
            ('ended_at', 'When it ended, UTC; null: it has not'),
            ('epoch', 'From 0'),
            ('error_kept_count', 'Of the records with an error, those stored'),
            ('error_seen_count', 'Records with an error that came'),
            ('event_name', 'The event, such as crucible_train.epoch.stop'),
            ('experiment_id', 'The experiment''s key'),
            ('experiment_name', 'The experiment''s name'),
            ('failed_count', 'Runs that failed'),
            ('first_seen', 'Earliest time of anything of it, UTC'),
            ('has_ended', 'Whether it ended in order, with nothing left in its journal'),
            ('heard_since', 'Since when it takes requests without a break, by its own clock, UTC'),
            ('host_name', 'Where it ran'),
            ('hypothesis', 'What it is to show'),
            ('is_error', 'Whether it failed'),
            ('journal_id', 'The journal''s key'),
            ('kept_count', 'Of the records that came, those stored'),
            ('kept_share', 'kept_count / seen_count'),
            ('kind', 'training or pipeline; null where only a run id was seen'),
            ('last_epoch', 'Highest epoch of any of its records'),
            ('last_seen', 'Latest time of anything of it, UTC'),
            ('last_step', 'Highest step of any of its records'),
            ('last_write_at', 'When it last wrote or asked, by the database''s clock, UTC'),
            ('learning_rate', 'At its end'),
            ('loss', 'May be NaN or infinite'),
            ('metric', 'The number''s name, such as loss'),
            ('model', 'The model''s name'),
            ('model_name', 'What is trained'),
            ('model_version', 'Its version'),
            ('name', 'Its name'),
            ('outcome', 'received, stored, sampled, filtered, rejected or duplicate'),
            ('owner', 'Whose it is'),
            ('parent_run_id', 'The run that it is a part of'),
            ('probability_min', 'Smallest inclusion probability of anything seen, kept or not'),
            ('rank', 'Rank of the process in a distributed training; null: not said'),
            ('reason', 'Why rejected, by which setting filtered, or by which rule sampled out'),
            ('record_count', 'Records'),
            ('rule', 'The sampling rule that the records came to'),
            ('run_count', 'Runs of it'),
            ('run_id', 'The run''s key'),
            ('running_count', 'Runs that go on'),
            ('sample_count', 'Samples that it saw'),
            ('sample_probability', 'With which it was kept; a count weighs it by the inverse'),
            ('seen_count', 'Records that came'),
            ('service_name', 'service.name of what sent it'),
            ('signal', 'spans, data_points or log_records'),
            ('silent_s', 'Seconds since it was last heard of; null: it has ended'),
            ('span_id', 'In hex'),
            ('started_at', 'When it started, UTC'),
            ('status', 'How it is'),
            ('status_message', 'What went wrong, as the sender said'),
            ('step', 'The step of the optimiser'),
            ('step_count', 'Steps that it took'),
            ('stored_until', 'What it received before this, by its own clock, is stored, UTC'),
            ('stratum', 'By which the rule tells records apart; empty: it does not'),
            ('summary', 'Last numbers that the end of the run carried'),
            ('time', 'When it began, UTC'),
            ('trace_id', 'In hex'),
            ('unit', 'As the sender gave it; null: none'),
            ('val_accuracy', 'On data held out, 0 to 1'),
            ('val_loss', 'On data held out'),
            ('value', 'May be NaN or infinite; null where the sender recorded none'),
            ('weight_mean', 'How many records one stored stands for, on average')
        ) as told (column_name, meaning)
        join pg_attribute on attname = told.column_name and not attisdropped
        join pg_class on pg_class.oid = attrelid
        where relnamespace = 'crucible'::regnamespace and relkind = 'v'
          and relname in ('experiment_summary', 'run_summary', 'metric_curve', 'loss_curve',
                          'epoch_summary', 'slowest_spans', 'recent_errors', 'delivery_summary',
                          'collector_summary', 'sampling_by_minute')
        order by relname, attnum
    loop
        execute format('comment on column crucible.%I.%I is %L', each.relname, each.attname, each.meaning);
    end loop;
end
$$;
