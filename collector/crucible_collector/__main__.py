"""`python -m crucible_collector` is `crucible-collector`."""

import sys

from crucible_collector.cli import main

sys.exit(main())
