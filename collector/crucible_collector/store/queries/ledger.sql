-- Does everything that was received add up, by signal, over all journals?
-- No index: a handful of rows a journal.
select
    signal,
    coalesce(sum(count) filter (where outcome = 'received'), 0)::bigint as received_count,
    coalesce(sum(count) filter (where outcome = 'stored'), 0)::bigint as stored_count,
    coalesce(sum(count) filter (where outcome = 'duplicate'), 0)::bigint as duplicate_count,
    coalesce(sum(count) filter (where outcome = 'sampled'), 0)::bigint as sampled_count,
    coalesce(jsonb_object_agg(reason, count) filter (where outcome = 'sampled'), '{}') as sampled_by_rule,
    coalesce(sum(count) filter (where outcome = 'filtered'), 0)::bigint as filtered_count,
    coalesce(jsonb_object_agg(reason, count) filter (where outcome = 'filtered'), '{}') as filtered_by_rule,
    coalesce(sum(count) filter (where outcome = 'rejected'), 0)::bigint as rejected_count,
    coalesce(jsonb_object_agg(reason, count) filter (where outcome = 'rejected'), '{}') as rejected_by_reason,
    coalesce(sum(case outcome when 'received' then count else -count end), 0)::bigint as unaccounted_count
from (
    select signal, outcome, reason, sum(count) as count
    from crucible.ledger
    group by signal, outcome, reason
) counts
group by signal
order by signal
