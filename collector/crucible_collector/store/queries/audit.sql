-- What was changed, the newest first?
-- Leans on the primary key.
select
    audit_id,
    crucible.rfc3339(happened_at, 0::smallint) as happened_at,
    who,
    key_id,
    address,
    method,
    path,
    status,
    summary
from crucible.audit
where %(last_id)s::bigint is null or audit_id < %(last_id)s
order by audit_id desc
limit %(limit)s
