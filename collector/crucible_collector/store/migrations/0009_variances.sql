-- What sampling will write beside a span, so that sums over what was kept have an error bar: terms of
-- the variance of each sum, clustered by trace (the term of a trace is on the first of its rows in a
-- minute of a roll-up's row, null on the rest). Null is 0: nothing was sampled, or it was certain.
-- The collector writes the terms because a roll-up sees rows, not traces.

alter table crucible.spans
    add column count_variance float8,
    add column duration_variance float8,
    add column input_token_variance float8,
    add column output_token_variance float8,
    add column cost_variance float8,
    add column latency_variance float8;
