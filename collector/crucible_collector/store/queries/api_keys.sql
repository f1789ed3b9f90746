-- Which API keys were there, the newest first?
-- No index: they are few.
select
    key_id,
    name,
    scopes,
    experiment_prefix,
    crucible.rfc3339(created_at, 0::smallint) as created_at,
    created_by,
    crucible.rfc3339(expires_at, 0::smallint) as expires_at,
    crucible.rfc3339(revoked_at, 0::smallint) as revoked_at,
    revoked_by,
    crucible.rfc3339(last_used_at, 0::smallint) as last_used_at,
    requests_per_minute_max,
    spans_per_s_max,
    bytes_per_s_max,
    case
        when revoked_at is not null then 'revoked'
        when expires_at <= now() then 'expired'
        else 'valid'
    end as state
from crucible.api_keys
order by crucible.api_keys.created_at desc, key_id
limit %(limit)s
