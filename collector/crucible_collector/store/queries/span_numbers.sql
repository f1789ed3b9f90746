-- Which numbers of which spans are asked for, in which group is each, and how sure was it to be kept?
-- Leans on spans_run where runs are given, on spans_event where events are, on spans_model where models are,
-- else on spans_time. Included as the first of several common table expressions. A number that is beyond 1e100
-- either way, or none, is null here: its square would leave float8's range. `others` are the names under which
-- others than the registry send the attribute, with what makes its unit of theirs.
with told as (
    select
        array[
            crucible.rfc3339(
                date_bin(%(width)s::interval, s.time, timestamptz '2000-01-01 00:00:00+00'), 0::smallint
            ),
-- include span_group
        ] collate "C" as key,
        case when s.value between -1e100 and 1e100 then s.value end as x,
        s.sample_probability as p,
        s.trace_id,
        s.duration_ns
    from (
        select
            *,
            case %(metric)s::text
                when 'count' then 1
                when 'errors' then case when status_code = 2 then 1 end
                when 'error_rate' then case when status_code = 2 then 1 else 0 end
                when 'duration' then duration_ns::float8 / 1e6
                when 'cost' then cost_usd
                when 'input_tokens' then input_tokens::float8
                when 'output_tokens' then output_tokens::float8
                when 'attribute' then coalesce(
                    crucible.number_of(attributes -> %(attribute)s::text),
                    case when %(others)s::text[] is not null then (
                        select crucible.number_of(attributes -> other) * scale
                        from unnest(%(others)s::text[], %(scales)s::float8[]) with ordinality o (other, scale, place)
                        where attributes ? other
                        order by place
                        limit 1
                    ) end
                )
            end as value
        from crucible.spans
        where (%(from_time)s::timestamptz is null or time >= %(from_time)s)
          and (%(to_time)s::timestamptz is null or time < %(to_time)s)
-- include span_choice
    ) s
    left join crucible.resources r on r.resource_id = s.resource_id
    where s.value is not null
    limit %(rows_max)s::bigint
)
