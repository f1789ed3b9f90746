"""In which days a trace, or a correlation id, may have rows.

So that a look-up without a period is not one through every part of the store.

`filters` sets the bits of Bloom filters, of which `building` makes some for each day that is over;
`late` writes down what a window has of days whose filters may be made already; `asking` turns a hint
into the periods that a question looks into.

Nothing is ever missed, and no clock is trusted for that. The row of `trace_horizon` has two days. Windows
read `late_before` in the first statement of their transaction, by which they hold a lock on `positions`;
it is moved first, and then whoever held that lock is waited for. So every row of an earlier day is
either committed by then, and read into a filter, or is written down by its window. Only then moves
`covered_until`, which readers go by: it and the filters and what is written down come and go together.

Only windows write down what is late: whoever inserts rows by other means into days before `late_before`
sets `covered_until` to null, and hints are made anew.
"""
