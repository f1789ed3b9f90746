"""What would these sampling settings do? Stored records are decided about once more, and nothing changes.

In the order in which data meet them: `store.replay` reads rows, `records` makes of them what samplers
look at, `windows` cuts them as they may have come, `replay` has the real sampler decide; `tally` counts
what that comes to, in `sums` by event with the `terms` of their variances, of which `aggregates` makes
the API's answers; `report` is what was found and `told` says it to people. `simulation` is how one is
started, from the command line or from the API.
"""
