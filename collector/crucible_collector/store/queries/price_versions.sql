-- Which prices have there been, newest first?
-- Leans on the primary key, from its end.
select
-- include price_version_columns
from crucible.price_settings s
where %(last_version)s::bigint is null or s.version <= %(last_version)s
order by s.version desc
limit %(limit)s offset %(skip)s
