-- What has each experiment cost since the day began, those with a budget of their own or all?
-- Leans on the roll-up of spans by time: of one day, by the hour. Sampled calls are weighted.
select experiment_id, sum(cost_sum_usd) as cost_usd
from (
-- each sums: span_usage
) pieces
where experiment_id is not null
  and cost_sum_usd <> 0
  and (%(experiments)s::text[] is null or experiment_id = any (%(experiments)s))
group by experiment_id
