-- What did a sampling rule see and keep of what was received in a minute? Adds to the sampling ledger.
-- Primary key; the rows of a journal are written by its one writer alone.
insert into crucible.sampling_ledger as known (
  time, seen_count, kept_count, weight_sum, weight_square_sum, probability_min, error_seen_count,
  error_kept_count, error_probability_min, trace_count_max, journal_id, rule, signal, stratum
)
values (
  %(time)s, %(seen_count)s, %(kept_count)s, %(weight_sum)s, %(weight_square_sum)s,
  %(probability_min)s, %(error_seen_count)s, %(error_kept_count)s, %(error_probability_min)s,
  %(trace_count_max)s, %(journal_id)s, %(rule)s, %(signal)s, %(stratum)s
)
on conflict (time, rule, signal, stratum, journal_id) do update set
  seen_count = known.seen_count + excluded.seen_count,
  kept_count = known.kept_count + excluded.kept_count,
  weight_sum = known.weight_sum + excluded.weight_sum,
  weight_square_sum = known.weight_square_sum + excluded.weight_square_sum,
  probability_min = least(known.probability_min, excluded.probability_min),
  error_seen_count = known.error_seen_count + excluded.error_seen_count,
  error_kept_count = known.error_kept_count + excluded.error_kept_count,
  error_probability_min = least(known.error_probability_min, excluded.error_probability_min),
  trace_count_max = greatest(known.trace_count_max, excluded.trace_count_max)
