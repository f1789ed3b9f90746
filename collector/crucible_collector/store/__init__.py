"""The database: the only package that knows psycopg.

`database` is what the service holds; the rest in the order of a start: `binaries` finds PostgreSQL,
`account` says which user may run it and `places` how that user gets at the files, `leftovers` ends
what a killed collector left running, `embedded` runs it; `servers` says what a server can do,
`migrate` brings the schema `crucible` up to date, which `roles` makes the owner's and `move` takes to
TimescaleDB; `upgrade` does so without a collector; `connect` opens connections by intent;
`rollups` has the sums over minutes, hours and days kept, `columnstore` has old rows packed and
`retention` has dropped what is no longer wanted, `trace_hints` know in which days a trace lies;
`maintenance` keeps what grows within bounds, and has `stalls` look for runs that have fallen silent;
such a run is, as one that has `stalled`, an anomaly, and so is an experiment that is over its `budgets`. `states` are what people make of periods of
anomalies, and how these end by themselves; `experiments` what they make of those.

In the order in which a window meets them: `partitions` makes room ahead of it, `window` writes it in
one transaction (its statements are in `ingest`), moves the journal's `positions` with it, says by `outcomes`
what became of its records; `copy` writes its rows (`binary_copy` makes the bytes) and
`merge` what rows share; `anomalies` writes what detectors found: `periods`, `flags`, and the `feed` of
what happens to them, with alerts; `sampling` counts what the sampling rules kept, and `versions` has
these rules and the settings of detection, version by version.
`live` writes down what a transaction has touched, for those who follow along.
`outbox` has the alerts that are to be sent. `read` answers the questions named in `queries` for as long as somebody is `asking`, of which
some are put together of the `pieces` that roll-ups answer, and very many numbers come as `arrays`; `causes` says what else changed in a run
before an anomaly; `replay` gives stored records once more, for simulations, and `scanned` numbers, for scans,
which are kept in `scans` and what they find by `scan_results`; `jobs` are kept likewise; `keys` are those of the API, of which it has hashes, `owners` whose runs are, and `audit` is what was changed with them; `repricing` changes what stored calls cost; `copy_out` gives rows
as Arrow, by `binary_rows`, for archives, and `copy_ahead` by a thread for what is `exported`; `archives`
are what was put away as files, how it leaves and comes back; `examine`, with
`examine_storage`, `examine_columnstore`, `examine_retention`, `examine_traces`, `examine_sampling`,
`examine_detection` and `examine_alerts`, those of the doctor.
"""
