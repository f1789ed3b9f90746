"""Which numbers are anomalous, by what each series has been so far.

`observations` is what a window brings: numbers with their series. `settings` are the rules, `webhooks`
where alerts go; `watches` says by which `plans` each number is watched (what the registry says, unless a
rule says otherwise). `engine` looks at windows: `numbering` gives each live series a number within
bounds, `differences` makes amounts of counters, `groups` keeps what the detectors of a plan remember,
`follow` makes periods of flags. A `detector` is one file of `detectors`; what was found is in `found`;
`warm` makes all kernels ready at a start.
"""
