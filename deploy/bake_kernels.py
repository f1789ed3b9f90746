"""Compile the collector's kernels into a directory, so that an image starts without a compiler's wait.

For unknown machines: NUMBA_CPU_NAME=generic and NUMBA_CPU_FEATURES= (empty) in the environment, here and
where the image runs. The argument is what the collector gets as `--kernel-cache-dir`.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from crucible_collector import decode
from crucible_collector.detect import warm as detect_kernels
from crucible_collector.sample import warm as sample_kernels
from crucible_collector.store import binary_copy


def main() -> None:
    """Compile what is missing, and say where it is."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    directory = decode.cache_directory(Path(sys.argv[1]))
    others = binary_copy.warm_up, sample_kernels.warm_up, detect_kernels.warm_up
    decode.warm_up(logging.getLogger("bake"), *others)
    print(f"kernels are in {directory}")


if __name__ == "__main__":
    main()
