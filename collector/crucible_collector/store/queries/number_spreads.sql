-- How are the numbers of these sampled groups spread, and how sure is that?
-- Leans on what span_numbers leans on. At most some two thousand stretches a group stand for all numbers, each
-- by its largest: they are narrow at both ends, where one row in twenty of those beyond is one. Each span has a
-- term by how many of its trace there are beside it, as in span_spreads_raw. `groups` are keys of a page that
-- was answered before this.
-- include span_numbers
,
wanted as (
    select array(select jsonb_array_elements_text(each)) collate "C" as key
    from jsonb_array_elements(%(groups)s::jsonb) each
),
terms as (
    select key, x, 1 / p as weight, (1 - p) / (p * p) * count(*) over (partition by key, trace_id) as variance
    from told
    join wanted using (key)
    where x is not null
),
placed as (
    select
        *,
        sum(weight) over (partition by key order by x) as below,
        sum(weight) over (partition by key) as total
    from terms
),
stretches as (
    select
        key,
        max(x) as value,
        sum(weight) as count,
        sum(variance) as variance
    from placed
    group by key, floor(4000 / (2 * pi()) * asin(least(1, 2 * below / total - 1)))
)
select
    key,
    array_agg(value order by value) as value,
    array_agg(count order by value) as count,
    array_agg(variance order by value) as variance
from stretches
group by key
