"""How fast the machine is that runs the tests: limits of time are those of a usual one."""

import time

USUAL = 0.0045  # s, for the loop below, on a desktop of 2023


def slowness(rounds: int = 10) -> float:
    """How many times as long as on a usual machine Python code takes here now; at least 1."""
    return max(1.0, min(_seconds_of_loop() for _ in range(rounds)) / USUAL)


def _seconds_of_loop() -> float:
    begun, total = time.perf_counter(), 0
    for number in range(200_000):
        total += number
    return time.perf_counter() - begun
