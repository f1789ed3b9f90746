"""From columns of the wire to rows of the database: names, identity, dimensions, points, runs.

`spans`, `metrics` and `logs` build the tables of one signal each, on what `window` shares among them.
They ask `events` and `metric_names` for the registry's name of what was sent, `subscription` whether it
is wanted, `columns` for texts, numbers and times, `dimensions` and `series` for the ids and rows that
records share (`hashing` makes the ids). `costs` are what calls of language models cost. `measurements` reads what spans measured, `points` makes rows of
it, `unregistered` counts what the registry does not know, and `facts` collects what a window says about
runs and experiments, as `told` reads it. `observed` and `observed_metrics` are the numbers of spans and of
metrics as detectors see them, `candidates` the records as sampling sees them, and `sampled` the ones that
are kept, with `uncertainty` for the error bars of what they stand for.
`partials` sums finished rows up by minute and hour, with `grouping`, for roll-ups that
the database does not keep by itself. Nothing here knows the database.
"""
