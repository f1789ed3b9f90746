"""What GPUs are asked, and what their answers become.

NVIDIA's library is faked only for what a machine without a GPU cannot answer: which of its
documented calls becomes which metric. `test_a_real_gpu_is_sampled` is skipped, and says so, where
the real one finds none.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_schema import METRICS
from crucible_telemetry import gpus
from crucible_telemetry.host import Sample


class FakeNvml(ModuleType):
    """The calls of nvidia-ml-py that are used, as NVIDIA documents them: mW, mJ, bytes, percent."""

    class NVMLError(Exception):
        pass

    class NVMLError_NotSupported(NVMLError):  # noqa: N801, N818 - its name there
        pass

    NVML_TEMPERATURE_GPU = 0

    def __init__(self, count: int = 2, *, is_supported: bool = True) -> None:
        super().__init__("pynvml")
        self.count = count
        self.is_supported = is_supported
        self.is_lost = False

    def nvmlInit(self) -> None:  # noqa: N802
        if not self.count:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        return f"GPU-{handle}f"

    def nvmlDeviceGetName(self, handle: int) -> str:  # noqa: N802
        return f"NVIDIA A100 {handle}"

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        if self.is_lost:
            raise self.NVMLError("GPU is lost")
        return SimpleNamespace(gpu=80 + handle, memory=50)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(total=40_000, used=10_000 + handle, free=30_000 - handle)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        if not self.is_supported:
            raise self.NVMLError_NotSupported
        return 250_500 + handle

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        return 9_000_000 + handle

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:  # noqa: N802
        return 61 + sensor + handle


def read_gpus(
    monkeypatch: pytest.MonkeyPatch, nvml: FakeNvml, visible: str | None = None
) -> list[Sample]:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    return list(gpus.gpu_source()())


def test_a_gpus_numbers_are_in_the_registrys_units(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = read_gpus(monkeypatch, FakeNvml(1))
    assert {sample.name: sample.value for sample in samples} == {
        "hw.gpu.utilization": 0.8,
        "hw.gpu.memory.usage": 10_000,
        "hw.gpu.memory.limit": 40_000,
        "hw.gpu.memory.utilization": 0.25,
        "hw.power": 250.5,
        "hw.energy": 9000.0,
        "hw.temperature": 61,
    }
    assert samples[0].attributes == {
        "hw.id": "GPU-0f",
        "hw.name": "gpu0",
        "hw.type": "gpu",
        "hw.model": "NVIDIA A100 0",
        "hw.vendor": "NVIDIA",
        "crucible.gpu.index": 0,
    }
    for sample in samples:
        known = {use.attribute.key for use in METRICS[sample.name].attributes}
        assert set(sample.attributes) <= known


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["gpu0", "gpu1", "gpu2"]),
        ("2,0", ["gpu2", "gpu0"]),
        ("GPU-1", ["gpu1"]),
        ("1,7,0", ["gpu1"]),
    ],
)
def test_only_the_gpus_that_cuda_sees_are_sampled_in_its_order(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, names: list[str]
) -> None:
    samples = read_gpus(monkeypatch, FakeNvml(3), visible)
    seen = {
        sample.attributes["crucible.gpu.index"]: sample.attributes["hw.name"] for sample in samples
    }
    assert seen == dict(enumerate(names))


def test_what_a_gpu_does_not_tell_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {sample.name for sample in read_gpus(monkeypatch, FakeNvml(1, is_supported=False))}
    assert "hw.power" not in names
    assert len(names) == 6


def test_a_gpu_that_is_lost_is_a_fault_and_the_rest_is_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nvml = FakeNvml(1)
    nvml.is_lost = True
    assert len(read_gpus(monkeypatch, nvml)) == 6
    assert "GPU is lost" in caplog.text
    assert crucible.counts()["fault.hardware"] == 1


@pytest.mark.parametrize(("count", "visible"), [(0, None), (2, ""), (2, "-1")])
def test_a_machine_without_a_gpu_to_see_says_why(
    monkeypatch: pytest.MonkeyPatch, count: int, visible: str | None
) -> None:
    with pytest.raises(gpus.NoGpuError, match=r"Driver Not Loaded|no GPU is visible"):
        read_gpus(monkeypatch, FakeNvml(count), visible)


def test_a_real_gpu_is_sampled() -> None:
    try:
        samples = list(gpus.gpu_source()())
    except (ImportError, gpus.NoGpuError) as error:
        pytest.skip(f"no GPU can be read here: {error}")
    assert {"hw.gpu.memory.limit", "hw.gpu.memory.usage"} <= {sample.name for sample in samples}


def test_the_real_library_has_every_call_that_is_made() -> None:
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError as error:
        pytest.skip(f"nvidia-ml-py is not installed: {error}")
    source = Path(gpus.__file__).read_text(encoding="utf-8")
    called = {part.partition("(")[0] for part in source.split("nvml.")[1:]}
    names = {name.strip() for name in called if name.startswith(("nvml", "NVML"))}
    assert len(names) >= 10
    for name in (text.split(":")[0].split()[0] for text in names):
        assert hasattr(nvml, name), name
