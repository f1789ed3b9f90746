"""The way of a window: read from the journal, prepared as rows, written in one transaction."""
