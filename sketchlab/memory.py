"""How much memory there is, asked before a large matrix is built."""

import jax
import psutil

#: Part of the memory at hand that a Jacobian, or a block of it, may take: what XLA needs beside it is several times as large.
SHARE = 1 / 8


def memory_at_hand(device: jax.Device | None = None) -> int:
    """Return the bytes that are free on a device, the default one if None."""
    device = jax.devices()[0] if device is None else device
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if statistics:
        return statistics["bytes_limit"] - statistics["bytes_in_use"]
    return psutil.virtual_memory().available


def block_for(rows: int, columns: int, itemsize: int, memory: int) -> int | None:
    """Return how many rows of a matrix (rows, columns) to build at a time, None for all of them at once.

    Parameters
    ----------
    rows, columns : int
        N and P.
    itemsize : int
        Bytes of a number.
    memory : int
        Bytes at hand, of which `SHARE` is used.
    """
    fitting = int(memory * SHARE) // (columns * itemsize)
    return None if fitting >= rows else max(fitting, 1)
