"""What the GPUs that this process may use are doing, from NVIDIA's management library.

What a reader could not guess: that library counts the host's GPUs in the order of their PCI
addresses and does not know CUDA_VISIBLE_DEVICES, which is read here: by number, as CUDA does with
CUDA_DEVICE_ORDER=PCI_BUS_ID, or by UUID. What a GPU does for other processes is part of its
numbers.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

from crucible_schema import events as names
from crucible_telemetry import faults
from crucible_telemetry.host import Sample, Source
from crucible_telemetry.values import AttributeValue

_PERCENT = 100
_MILLI = 1000


class NoGpuError(Exception):
    """There is no GPU to be sampled; the message says why."""


def gpu_source() -> Source:
    """Return what samples the visible GPUs.

    Raises ImportError where nvidia-ml-py is missing, and NoGpuError where there is nothing to see.
    """
    nvml = importlib.import_module("pynvml")
    try:
        nvml.nvmlInit()
        return _Gpus(nvml, os.environ.get("CUDA_VISIBLE_DEVICES")).samples
    except nvml.NVMLError as error:
        raise NoGpuError(str(error)) from None


class _Gpus:
    """The GPUs that were there at the start."""

    def __init__(self, nvml: Any, visible: str | None) -> None:
        self._nvml = nvml
        found = [self._described(index) for index in range(nvml.nvmlDeviceGetCount())]
        self._gpus = [
            (handle, {**attributes, names.GPU_INDEX: place})
            for place, (handle, attributes) in enumerate(_visible(found, visible))
        ]
        if not self._gpus:
            raise NoGpuError("no GPU is visible to this process")

    def _described(self, index: int) -> tuple[Any, dict[str, AttributeValue]]:
        handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
        return handle, {
            names.HW_ID: self._nvml.nvmlDeviceGetUUID(handle),
            names.HW_NAME: f"gpu{index}",
            names.HW_TYPE: "gpu",
            names.HW_MODEL: self._nvml.nvmlDeviceGetName(handle),
            names.HW_VENDOR: "NVIDIA",
        }

    def samples(self) -> Iterator[Sample]:
        for handle, attributes in self._gpus:
            for read in (self._busy, self._memory, self._power, self._energy, self._temperature):
                try:
                    measured = read(handle)
                except self._nvml.NVMLError_NotSupported:  # by this model
                    continue
                except self._nvml.NVMLError as error:
                    faults.note(faults.Fault.HARDWARE, "A GPU cannot be read: %s", error)
                    continue
                for name, value in measured.items():
                    yield Sample(name, value, attributes)

    def _busy(self, handle: Any) -> dict[str, float]:
        rates = self._nvml.nvmlDeviceGetUtilizationRates(handle)
        return {"hw.gpu.utilization": rates.gpu / _PERCENT}

    def _memory(self, handle: Any) -> dict[str, float]:
        memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
        return {
            "hw.gpu.memory.usage": memory.used,
            "hw.gpu.memory.limit": memory.total,
            "hw.gpu.memory.utilization": memory.used / memory.total if memory.total else 0.0,
        }

    def _power(self, handle: Any) -> dict[str, float]:
        return {"hw.power": self._nvml.nvmlDeviceGetPowerUsage(handle) / _MILLI}

    def _energy(self, handle: Any) -> dict[str, float]:
        return {"hw.energy": self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / _MILLI}

    def _temperature(self, handle: Any) -> dict[str, float]:
        sensor = self._nvml.NVML_TEMPERATURE_GPU
        return {"hw.temperature": self._nvml.nvmlDeviceGetTemperature(handle, sensor)}


def _visible(
    found: list[tuple[Any, dict[str, AttributeValue]]], visible: str | None
) -> list[tuple[Any, dict[str, AttributeValue]]]:
    """Return the GPUs that CUDA_VISIBLE_DEVICES names, in its order; as CUDA, up to the first bad."""
    if visible is None:
        return found
    chosen: list[tuple[Any, dict[str, AttributeValue]]] = []
    for text in (part.strip() for part in visible.split(",")):
        matching = [
            gpu
            for index, gpu in enumerate(found)
            if text == str(index) or (text and str(gpu[1][names.HW_ID]).startswith(text))
        ]
        if len(matching) != 1:
            break
        chosen += matching
    return chosen
