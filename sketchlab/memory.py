"""How much memory there is, and how much a computation will take, asked before a large matrix is built."""

import os
import sys
from pathlib import Path

import jax
import psutil

#: Where Linux keeps the limit of a container: a number of bytes or "max".
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")

#: Part of the memory at hand that a whole Jacobian may take: what XLA needs beside it is several times as large.
SHARE = 1 / 8
#: Part of it that a block of rows would take if XLA built it whole; as a rule it builds a piece at a time (`PIECE`).
BLOCK_SHARE = 1 / 4
#: Part of the memory at hand that a spectrum may take: the estimate is not exact, and others use memory too.
FIT = 0.8
#: Matrices of the size of a sketch that are alive at once, in the hungriest route; and its columns beyond the rank.
SKETCH_COPIES, SPARE_COLUMNS = 12, 16


def memory_at_hand() -> int:
    """Return the bytes that are free on the default device."""
    device = jax.devices()[0]
    statistics = None if device.platform == "cpu" else device.memory_stats()
    if statistics:
        return statistics["bytes_limit"] - statistics["bytes_in_use"]
    return min(psutil.virtual_memory().available, _left_to_the_container())


def _left_to_the_container():
    """Return the bytes that a container, Binder's for one, leaves of its limit; the machine may have many more."""
    limits, used = [], psutil.Process().memory_info().rss
    if CGROUP_LIMIT.is_file() and (limit := CGROUP_LIMIT.read_text().strip()).isdigit():
        limits.append(int(limit))
    # JupyterHub tells its servers so.
    if (limit := os.environ.get("MEM_LIMIT", "")).isdigit():
        limits.append(int(limit))
    return max(0, min(limits) - used) if limits else sys.maxsize


def block_for(rows: int, columns: int, itemsize: int, memory: int) -> int | None:
    """Return how many rows of a matrix (rows, columns) to build at a time, None for all of them at once.

    Parameters
    ----------
    rows, columns : int
        N and P.
    itemsize : int
        Bytes of a number.
    memory : int
        Bytes at hand.
    """
    row = columns * itemsize
    if rows * row <= memory * SHARE:
        return None
    return max(1, min(rows, int(memory * BLOCK_SHARE) // row))


def rank_for(rows: int, columns: int, itemsize: int, memory: int) -> int:
    """Return a rank of which a sketch of a matrix (rows, columns) fits into `memory` bytes by any route; 0 if none does."""
    column = SKETCH_COPIES * (rows + columns) * itemsize
    return max(0, int(memory * (FIT - SHARE)) // column - SPARE_COLUMNS)


def compiler_options(block: int | None) -> dict[str, str] | None:
    """Return what XLA needs to be told to keep a step in blocks small.

    On the CPU it orders a computation for concurrency: it would build most pieces of J before it uses the first.
    """
    if block is None or jax.default_backend() != "cpu":
        return None
    return {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}


def bytes_of(compiled: jax.stages.Compiled) -> int:
    """Return what a compiled function will allocate, by the compiler's own account: results and what it needs on the way.

    The workspace of LAPACK is not in it.
    """
    analysis = compiled.memory_analysis()
    return analysis.temp_size_in_bytes + analysis.output_size_in_bytes
