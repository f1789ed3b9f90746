-- Which of these requests are new? Takes them in; a digest that is there already is a request resent.
-- Primary key, in digest order: two collectors that got the same requests wait, never deadlock.
insert into crucible.requests (digest, received_at)
select digest, received_at
from unnest(%(digests)s::uuid[], %(received_at)s::timestamptz[]) as sent (digest, received_at)
order by digest
on conflict (digest) do nothing
returning digest
