"""Which numbers are anomalous, by what each series has been so far.

`observations` is what a window brings: numbers with their series. `settings` are the rules, `webhooks`
where alerts go; `watches` says by which `plans` each number is watched: what the registry says, which
`defaults` has ready, unless a rule says otherwise. `engine` looks at windows: `numbering` gives each live
series a number within bounds, `order` leaves out what comes too late, `counters` makes amounts of
cumulative sums, `groups` keeps what the detectors of a plan remember, `follow` makes periods of flags and
`episodes` what is told of them, with the names of `names`. A `detector` is one file of `detectors`
(`slowing` is what three of them share, `scale` how they take logarithms and place bounds); what was found
is in `found`; `warm` makes all kernels ready at a start.
"""
