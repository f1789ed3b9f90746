"""The way of a window: read from the journal, prepared as rows, written in one transaction.

`pipeline` is the loop and answers what goes wrong; `prepare` turns a window into rows; `remembered`
knows what need not be written again; `unfamiliar` tells what the registry does not know.
"""
