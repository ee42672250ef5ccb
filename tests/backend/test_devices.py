"""Devices: the chosen one or a clear error, and the fallback to the CPU when graphics memory runs out."""

import pytest
import torch

from blender_meshrec.backend import devices
from blender_meshrec.bodies.chunking import run_in_chunks
from blender_meshrec.cli import program
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.option_choices import DEVICE_NAMES

USABLE = [kind for kind in ("cpu", "cuda", "mps") if devices.is_usable(kind)]


@pytest.mark.parametrize("kind", USABLE)
def test_an_available_device_is_chosen(kind):
    assert devices.choose_device(kind).type == kind


def test_auto_chooses_the_fastest_usable_device(monkeypatch):
    assert devices.choose_device().type == devices.choose_device("auto").type == (USABLE[1] if len(USABLE) > 1 else "cpu")
    monkeypatch.setattr(devices, "is_usable", lambda kind: kind in ("cpu", "cuda"))
    assert devices.choose_device("auto").type == "cuda"


def test_an_unavailable_device_is_refused_with_a_remedy(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"NVIDIA.*cpu"):
        devices.choose_device("cuda")
    with pytest.raises(InputError, match="auto, cpu, cuda, mps"):
        devices.choose_device("quantum")


def test_a_listed_card_that_fails_is_not_usable(monkeypatch):
    """As with a driver that is too old, or another program that occupies all of its memory."""

    def fail(*_arguments, **options):
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", fail)
    assert not devices.is_usable("cuda")


@pytest.mark.parametrize("name", DEVICE_NAMES)
def test_the_backend_knows_each_device_of_the_command_line(name):
    assert program.build_parser().parse_args(["setup", "--device", name]).device == name
    try:
        devices.choose_device(name)
    except InputError as error:
        assert error.name == "device-unavailable"


class LimitedCard:
    """Computes squares, with graphics memory for `room` rows at a time; the device "meta" stands for the graphics card."""

    def __init__(self, room, error=None):
        self.room, self.calls = room, []
        self.error = error or torch.OutOfMemoryError("CUDA out of memory.")

    def __call__(self, rows, device):
        size = rows.stop - rows.start
        self.calls.append((device.type, size))
        if device.type != "cpu" and size > self.room:
            raise self.error
        return torch.arange(rows.start, rows.stop) ** 2


def compute_in_chunks(compute, count, size, device, warn=lambda message: None):
    """How the pipeline computes long clips: in chunks on the device, else on the CPU."""
    return devices.run_with_cpu_fallback(lambda where: run_in_chunks(lambda rows: (compute(rows, where),), count, size)[0], device, warn)


@pytest.mark.parametrize("room, size, count", [(100, 7, 20), (3, 16, 20), (1, 64, 33)])
def test_chunks_shrink_until_they_fit_into_memory(room, size, count):
    card, warnings = LimitedCard(room), []
    out = compute_in_chunks(card, count, size, "meta", warnings.append)
    assert torch.equal(out, torch.arange(count) ** 2)
    assert warnings == [] and all(kind == "meta" for kind, _size in card.calls)


def test_chunks_that_never_fit_run_on_the_cpu():
    card, warnings = LimitedCard(0), []
    out = compute_in_chunks(card, 20, 8, "meta", warnings.append)
    assert torch.equal(out, torch.arange(20) ** 2)
    assert [size for kind, size in card.calls if kind == "meta"] == [8, 4, 2, 1]
    assert [size for kind, size in card.calls if kind == "cpu"] == [8, 8, 4]
    assert len(warnings) == 1 and "processor" in warnings[0]


def test_out_of_memory_errors_of_apple_devices_are_recognised():
    card = LimitedCard(0, RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB, max allowed: 9.07 GB)"))
    assert torch.equal(compute_in_chunks(card, 5, 2, "meta"), torch.arange(5) ** 2)


def test_other_errors_are_raised():
    with pytest.raises(RuntimeError, match="shapes"):
        compute_in_chunks(LimitedCard(0, RuntimeError("shapes do not match")), 5, 2, "meta")


def test_memory_errors_are_distinguished_from_others():
    with pytest.raises(RuntimeError) as real:
        torch.empty(1 << 60)
    assert devices.is_out_of_memory(real.value)
    assert devices.is_out_of_memory(MemoryError()) and devices.is_out_of_memory(torch.OutOfMemoryError("full"))
    assert not devices.is_out_of_memory(RuntimeError("boom")) and not devices.is_out_of_memory(ValueError("out of memory"))


@pytest.mark.skipif("cuda" not in USABLE, reason="no CUDA device here")
def test_a_full_cuda_device_falls_back_to_the_cpu():
    total = torch.cuda.get_device_properties(0).total_memory

    def compute(rows, device):
        rest = torch.empty((rows.stop - rows.start) * total // 3, dtype=torch.uint8, device=device)
        return rest[: rows.stop - rows.start] * 0 + 1

    assert compute_in_chunks(compute, 8, 8, "cuda").sum() == 8
