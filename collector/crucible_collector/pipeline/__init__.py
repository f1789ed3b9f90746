"""The way of a window: read from the journal, prepared as rows, written in one transaction.

`pipeline` is the loop and answers what goes wrong; `windows` says which window comes next, whole or ahead
and behind, and keeps the `learners`, detectors and sampler; `looking` decodes one and `prepare` turns it into rows; `checkpoints` keeps on the disk what was
learned, and `relearning` has a start go on from there; `in_force` knows which settings are in force,
those of `sampling`, those of `detection` and `prices`; `remembered` knows what need not be written again;
`unfamiliar` tells what the registry does not know.
"""
