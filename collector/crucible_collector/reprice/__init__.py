"""Computing costs anew over a range of what is stored, when prices have changed.

`recompute` goes through the range a slice at a time, `store.repricing` reads and writes one; `asked` says
what may be asked for. `work` makes a job of it, `command` is `crucible-collector prices`.
"""

from crucible_collector.reprice.asked import Asked
from crucible_collector.reprice.recompute import recompute

__all__ = ["Asked", "recompute"]
