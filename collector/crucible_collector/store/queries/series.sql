-- Which series match these filters?
-- Leans on series_metric, or on series_run_id where a run is given.
select
-- include series_columns
from crucible.series s
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes o on o.scope_id = s.scope_id
where (%(metric)s::text is null or s.metric = %(metric)s)
  and (%(run)s::text is null or s.run_id = %(run)s)
  and (%(source)s::text is null or s.source = %(source)s)
  and (%(service)s::text is null or r.service_name = %(service)s)
  and (
      %(last_metric)s::text is null
      or (s.metric, s.series_id) >= (%(last_metric)s, %(last_series)s)
  )
order by s.metric, s.series_id
limit %(limit)s offset %(skip)s
