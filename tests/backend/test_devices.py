"""Devices: the one asked for or a clear no, and graphics memory that runs out costs time, not the job."""

import pytest
import torch

from blender_meshrec.backend import devices
from blender_meshrec.bodies.chunking import run_in_chunks
from blender_meshrec.cli import program
from blender_meshrec.core.errors import InputError

HERE = [kind for kind in ("cpu", "cuda", "mps") if devices.is_usable(kind)]


@pytest.mark.parametrize("kind", HERE)
def test_a_device_at_hand_is_given(kind):
    assert devices.choose_device(kind).type == kind


def test_auto_takes_the_fastest_that_works(monkeypatch):
    assert devices.choose_device().type == devices.choose_device("auto").type == (HERE[1] if len(HERE) > 1 else "cpu")
    monkeypatch.setattr(devices, "is_usable", lambda kind: kind in ("cpu", "cuda"))
    assert devices.choose_device("auto").type == "cuda"


def test_a_device_that_is_not_there_is_refused_with_a_remedy(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"NVIDIA.*cpu"):
        devices.choose_device("cuda")
    with pytest.raises(InputError, match="auto, cpu, cuda, mps"):
        devices.choose_device("quantum")


def test_a_card_that_is_listed_but_fails_is_passed_over(monkeypatch):
    """As with a driver that is too old, or another program that holds all of its memory."""

    def fail(*_arguments, **options):
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", fail)
    assert not devices.is_usable("cuda")


def test_the_command_line_offers_these_devices():
    assert program.DEVICES == devices.DEVICES


class Card:
    """Squares that fit into graphics memory only `room` rows at a time; "meta" plays the graphics card."""

    def __init__(self, room, error=None):
        self.room, self.calls = room, []
        self.error = error or torch.OutOfMemoryError("CUDA out of memory.")

    def __call__(self, rows, device):
        size = rows.stop - rows.start
        self.calls.append((device.type, size))
        if device.type != "cpu" and size > self.room:
            raise self.error
        return torch.arange(rows.start, rows.stop) ** 2


def in_pieces(compute, count, size, device, warn=lambda sentence: None):
    """How the pipeline computes what is long: in pieces on the device, else on the CPU."""
    return devices.run_with_cpu_fallback(lambda where: run_in_chunks(lambda rows: (compute(rows, where),), count, size)[0], device, warn)


@pytest.mark.parametrize("room, size, count", [(100, 7, 20), (3, 16, 20), (1, 64, 33)])
def test_pieces_shrink_until_they_fit(room, size, count):
    card, said = Card(room), []
    out = in_pieces(card, count, size, "meta", said.append)
    assert torch.equal(out, torch.arange(count) ** 2)
    assert said == [] and all(kind == "meta" for kind, _size in card.calls)


def test_what_never_fits_is_computed_on_the_cpu():
    card, said = Card(0), []
    out = in_pieces(card, 20, 8, "meta", said.append)
    assert torch.equal(out, torch.arange(20) ** 2)
    assert [size for kind, size in card.calls if kind == "meta"] == [8, 4, 2, 1]
    assert [size for kind, size in card.calls if kind == "cpu"] == [8, 8, 4]
    assert len(said) == 1 and "CPU" in said[0]


def test_apple_devices_say_it_with_another_error():
    card = Card(0, RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB, max allowed: 9.07 GB)"))
    assert torch.equal(in_pieces(card, 5, 2, "meta"), torch.arange(5) ** 2)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"):
        in_pieces(Card(0, RuntimeError("shapes do not match")), 5, 2, "meta")


def test_memory_errors_are_told_from_others():
    with pytest.raises(RuntimeError) as real:
        torch.empty(1 << 60)
    assert devices.is_out_of_memory(real.value)
    assert devices.is_out_of_memory(MemoryError()) and devices.is_out_of_memory(torch.OutOfMemoryError("full"))
    assert not devices.is_out_of_memory(RuntimeError("boom")) and not devices.is_out_of_memory(ValueError("out of memory"))


@pytest.mark.skipif("cuda" not in HERE, reason="no CUDA device here")
def test_a_real_card_that_is_full():
    total = torch.cuda.get_device_properties(0).total_memory

    def compute(rows, device):
        rest = torch.empty((rows.stop - rows.start) * total // 3, dtype=torch.uint8, device=device)
        return rest[: rows.stop - rows.start] * 0 + 1

    assert in_pieces(compute, 8, 8, "cuda").sum() == 8
