"""What a launcher of distributed processes says of this one: its rank, and the run all ranks share.

torchrun sets RANK, WORLD_SIZE and TORCHELASTIC_RUN_ID. The last is the job's id: what `--rdzv-id`
says, a random one with `--standalone`, and "none" where nobody said anything. Ranks without such an
id agree on nothing, so that each has a run of its own unless the program gives a `run_id`.

What a reader could not guess: a program may train more than once. The first training of a process
has the job's id, the second the id with "-2", and so on: ranks of one job train in the same order.
A job that is restarted, by torchrun or under the same `--rdzv-id`, goes on with the same runs.
"""

from __future__ import annotations

import itertools
import os

_NO_ID = {"", "none"}
_trainings = itertools.count(1)


def rank_of_environment() -> int | None:
    """Return the rank that torchrun and its like set; RANK alone may mean anything."""
    rank = os.environ.get("RANK", "")
    return int(rank) if "WORLD_SIZE" in os.environ and rank.isdecimal() else None


def shared_run_id() -> str | None:
    """Return an id for the next training of this process that the other ranks come to as well."""
    job_id = os.environ.get("TORCHELASTIC_RUN_ID", "").strip()
    if rank_of_environment() is None or job_id.lower() in _NO_ID:
        return None
    count = next(_trainings)
    return job_id if count == 1 else f"{job_id}-{count}"
