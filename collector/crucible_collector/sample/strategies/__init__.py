"""One strategy a file: `uniform`, `stratified`, `reservoir`, `adaptive`, `importance`, `tail`.

`strata` tells records apart and bounds how many strata are remembered; `latencies` knows how long an
event usually takes.
"""
