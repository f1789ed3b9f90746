"""Asks a collector: experiments, runs, curves, comparisons, costs, as Arrow tables; and takes rows away as files.

    from crucible_telemetry.client import Client

    with Client() as client:
        print(client.compare("val_accuracy", experiment="lr-sweep").verdict)

It takes httpx and pyarrow: `pip install 'crucible-telemetry[client]'`. The rest of the package neither needs
nor imports it.

`asking` is the `Client`; `line` sends its questions and reads answers, of which those that are none are a
`refusal`; `parameters` writes what is asked for. `comparison` is what comparing gives; `downloads` fetches
exports; `following` hears what is stored as it is stored.
"""

try:
    import httpx
    import pyarrow as pa
except ImportError as error:
    raise ImportError(
        f"crucible_telemetry.client needs {error.name}: pip install 'crucible-telemetry[client]'"
    ) from error

from crucible_telemetry.client.asking import Client
from crucible_telemetry.client.comparison import Comparison
from crucible_telemetry.client.following import Following, Message
from crucible_telemetry.client.refusal import ApiError

__all__ = ["ApiError", "Client", "Comparison", "Following", "Message"]

del httpx, pa
