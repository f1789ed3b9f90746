"""The only queue: acknowledged requests wait here, on disk, until the database has them.

In the order in which an entry meets them:

- `entry`: what is appended, and what is reported when bytes were damaged.
- `journal`: the door; owns the two threads and the lock on the directory.
- `commit`: the thread that writes pending entries, syncs once for all of them, and resolves them.
- `allocate`: the thread that keeps the next segment ready and takes away what is no longer needed.
- `segments`: which segments there are and what state each is in; the state both threads share.
- `framing`: the bytes of a record and of a segment's header.
- `scan`: finds records in bytes that may have been damaged, and where to go on after damage.
- `window`: reads a stretch of records into one buffer and arrays.
- `recover`: from the files of a former process to segments and a tail.
- `damaged`: sets bytes aside that could not be read.
- `dead_letters`: records that the database refuses for good.
- `files`: the few things asked of the operating system.
"""

from crucible_collector.journal.dead_letters import DeadLetter, DeadLetters
from crucible_collector.journal.entry import Damage, Entry, EntryFlag
from crucible_collector.journal.journal import Journal
from crucible_collector.journal.window import Window

__all__ = ["Damage", "DeadLetter", "DeadLetters", "Entry", "EntryFlag", "Journal", "Window"]
