-- What is known of one series?
-- Leans on the primary key.
select
-- include series_columns
from crucible.series s
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes o on o.scope_id = s.scope_id
where s.series_id = %(series)s
