"""What would detectors have found in what is stored? The engine of the stream looks at it once more.

In the order in which data meet them: `store.scanned` reads rows, `observed` makes of them what detectors
look at, `look` has the engine look, `periods` joins what it says of one period, and `report` keeps what
there is to tell. `scans` runs them, at most two at a time, by the settings that `asked` makes of what is asked
for; `band` is one curve with what a detector expected of it.
"""
