-- What did these runs use in all: US dollars and tokens, of one event or of all?
-- Leans on the indexes of span_rollup by run; weighted where spans were sampled.
select
    run_id,
    sum(row_count)::bigint as point_count,
    case when max(cost_max_usd) is not null then sum(cost_sum_usd) end as cost,
    case when coalesce(max(input_token_max), max(output_token_max)) is not null
        then coalesce(sum(input_token_sum), 0) + coalesce(sum(output_token_sum), 0) end as tokens,
    coalesce(min(probability_min), 1) < 1 as is_sampled
from (
-- each sums: span_sums
) pieces
where run_id = any(%(runs)s::text[])
group by run_id
order by run_id
