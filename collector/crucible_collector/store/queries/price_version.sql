-- Which prices are those, or in force where no version is asked for?
-- Leans on the primary key.
select
-- include price_version_columns
from crucible.price_settings s
where %(version)s::bigint is null or s.version = %(version)s
order by s.version desc
limit 1
