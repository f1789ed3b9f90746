-- What became of all records, over all journals?
-- No index: some dozen rows a journal.
select signal, outcome, reason, sum(count)::bigint as count
from crucible.ledger
group by signal, outcome, reason
order by signal, outcome, reason
