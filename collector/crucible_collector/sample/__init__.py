"""Which spans and logs are kept, and with which probability.

`randomness` reads what OpenTelemetry's tracestate says and gives every record its random number;
`rules` are the settings, with those of each strategy in `strategy_settings`; `strategy` is what a
strategy is, and `strategies` has one file each; `memory` remembers kept traces; `sampler` puts rules, traces and upstream thresholds together;
`variance` computes the error bars that rows carry; `ledger` counts by rule.
"""
