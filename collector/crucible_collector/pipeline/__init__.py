"""The way of a window: read from the journal, prepared as rows, written in one transaction.

`pipeline` is the loop and answers what goes wrong; `windows` says which window comes next, whole or ahead
and behind, and keeps the sampler; `prepare` turns one into rows; `checkpoints` keeps on the disk what was
learned, and `relearning` has a start go on from there; `sampling` knows which sampling rules are in force; `remembered` knows what need not be written
again; `unfamiliar` tells what the registry does not know.
"""
