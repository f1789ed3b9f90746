-- How many requests do these sides have, and have they what a comparison needs?
-- Leans on what compare_request_rows says.
with
-- include compare_request_rows
select
    place,
    count(*) as row_count,
    count(attributes ->> 'crucible.sample.id') as sample_id_count,
    count(run_id) as run_id_count,
    count(cost_usd) as cost_count,
    count(coalesce(input_tokens, output_tokens)) as token_count
from requests
group by place
order by place
