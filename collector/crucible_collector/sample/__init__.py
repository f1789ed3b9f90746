"""Which spans and logs are kept, and with which probability.

`randomness` reads what OpenTelemetry's tracestate says and gives every record its random number.
`sampler` decides about windows: `rules` are the settings, with those of each strategy in
`strategy_settings`, and `rulings` the rules in force; `strategy` is what a strategy is, and `strategies`
has one file each; `traces` numbers the traces of a window, `notable` knows what was seen of them after
it, `memory` under which thresholds they were kept before, and `settle` gives each record its trace's.
`ledger` counts by rule; `variance` computes the error bars that rows carry; `warm` makes all kernels
ready at a start.
"""
