-- Which settings of detection have there been, newest first?
-- Leans on the primary key, from its end.
select
-- include detection_version_columns
from crucible.detection_settings s
where %(last_version)s::bigint is null or s.version <= %(last_version)s
order by s.version desc
limit %(limit)s offset %(skip)s
