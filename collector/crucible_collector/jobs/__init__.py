"""What goes on by itself after it was asked for: exports, archives, restores, prices computed anew.

`runner` runs each in a thread of its own and keeps how far it is where every collector sees it
(`store.jobs`). What a job does is a `Work` of `export`, `archive` or `reprice`.
"""

from crucible_collector.jobs.runner import CancelledError, Jobs, Progress, Report, Undo, Work

__all__ = ["CancelledError", "Jobs", "Progress", "Report", "Undo", "Work"]
