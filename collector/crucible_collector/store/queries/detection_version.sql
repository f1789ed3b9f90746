-- Which settings of detection are those, or in force where no version is asked for?
-- Leans on the primary key.
select
-- include detection_version_columns
from crucible.detection_settings s
where %(version)s::bigint is null or s.version = %(version)s
order by s.version desc
limit 1
