"""How much memory there is, and what fits into it, asked before a large matrix is built; and how many threads LAPACK takes."""

import functools
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import jax
import jaxlib.version
import psutil
from threadpoolctl import ThreadpoolController

from sketchlab.validation import InputError

#: Where Linux keeps the memory limit of a container and what it uses.
CGROUP = Path("/sys/fs/cgroup")

#: Part of the memory at hand that a whole Jacobian, or a block of its rows, may take: XLA needs several times as much beside it,
#: and may hold two blocks at a time.
SHARE = 1 / 8
#: Part of the memory at hand that a spectrum may take: the estimate is not exact, and others use memory too.
FIT = 0.8
#: Numbers in J below which a usual training loses less by slower steps than a quick compilation saves.
QUICK = 3 * 2**19
#: Upper bounds, for every route: sketch-sized matrices alive at once, and columns beyond the rank.
SKETCH_COPIES, SPARE_COLUMNS = 12, 16


def default_device():
    """Return the device that JAX computes on unless told otherwise; `jax_default_device` may name a platform."""
    device = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    if device is None or isinstance(device, str):
        return jax.devices(device)[0]
    return device


def memory_at_hand() -> int:
    """Return the bytes that are free on the default device."""
    device = default_device()
    statistics = None if device.platform == "cpu" else device.memory_stats()
    if statistics:
        return statistics["bytes_limit"] - statistics["bytes_in_use"]
    return min(psutil.virtual_memory().available, _left_to_the_container())


def check_memory(what: str, needed: int, way_out: str) -> None:
    """Raise `InputError` if something needs more bytes than may be used of the memory at hand, before they are allocated."""
    memory = memory_at_hand()
    if needed > FIT * memory:
        raise InputError(f"{what} takes about {needed / 2**30:.3g} GiB, {memory / 2**30:.3g} GiB are at hand: {way_out}")


def _left_to_the_container():
    """Return the bytes that a container, Binder's for one, leaves of its limit; the machine may have many more."""
    # JupyterHub tells its servers the second one.
    limits = [_text(CGROUP / "memory.max"), os.environ.get("MEM_LIMIT", "")]
    limits = [int(limit) for limit in limits if limit.isdigit()]
    if not limits:
        return sys.maxsize
    if used := _text(CGROUP / "memory.current"):
        # All processes of the container, other notebooks too; files that the kernel keeps in memory make room when asked.
        statistics = dict(line.split() for line in _text(CGROUP / "memory.stat").splitlines())
        used = int(used) - int(statistics.get("inactive_file", 0))
    else:
        used = psutil.Process().memory_info().rss
    return max(0, min(limits) - used)


def _text(path):
    return path.read_text().strip() if path.is_file() else ""


def block_for(rows: int, columns: int, itemsize: int, memory: int) -> int | None:
    """Return how many rows of J (N, P) to build at a time, None for all at once: `itemsize` bytes a number, `memory` at hand."""
    row = columns * itemsize
    if rows * row <= memory * SHARE:
        return None
    # Of several blocks, two may be alive at once; a single one is built piece by piece and never whole. A GPU takes J whole then:
    # it needs less beside it, and a step of a million parameters takes 0.3 s in place of 0.9 s.
    if rows * row <= 2 * memory * SHARE:
        return rows if default_device().platform == "cpu" else None
    return max(1, int(memory * SHARE) // row)


def largest_rank(rows: int, parameters: int, *, itemsize: int, memory: int | None = None, oversampling: int = 0) -> int:
    """Return the largest rank of a sketch of J (N, P) that min(N, P) and the memory allow by any route; 0 if none fits.

    A number takes `itemsize` bytes, the sketch draws `oversampling` columns beyond its rank, and all must fit into `memory`
    bytes: what is at hand by default.

    >>> largest_rank(1000, 300, itemsize=8, memory=2**30, oversampling=6)
    294
    """
    memory = memory_at_hand() if memory is None else memory
    column = SKETCH_COPIES * (rows + parameters) * itemsize
    return max(0, min(int(memory * (FIT - 2 * SHARE)) // column - SPARE_COLUMNS, min(rows, parameters) - oversampling))


def compiler_options(block: int | None, *, quick: bool = False) -> dict[str, Any] | None:
    """Return the compiler options for the CPU: those that keep a computation in blocks small, or those for one that is `quick`.

    XLA orders a computation for concurrency: it would build most pieces of J before it uses the first. And it compiles for
    seconds what then takes some milliseconds: with these options it takes half of the time, and steps last a twentieth longer.
    """
    if default_device().platform != "cpu":
        return None
    if block is not None:
        return {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}
    # Who has set these in the environment knows better.
    if not quick or "xla_backend_optimization_level" in os.environ.get("XLA_FLAGS", ""):
        return None
    return quick_options(level=1)


def quick_options(level: int) -> dict[str, Any]:
    """Return the options of a quick compilation for the CPU, at an optimization level of XLA."""
    # jaxlib 0.11 knows no fusion emitters any more, and refuses an option that it does not know.
    emitters = {"xla_cpu_use_fusion_emitters": False} if jaxlib.version.__version_info__ < (0, 11) else {}
    return {"xla_backend_optimization_level": level} | emitters


def bytes_of(compiled: jax.stages.Compiled) -> int:
    """Return the bytes that a compiled function allocates, by the compiler's account: LAPACK's workspace is not in it."""
    analysis = compiled.memory_analysis()
    return analysis.temp_size_in_bytes + analysis.output_size_in_bytes  # pyright: ignore[reportOptionalMemberAccess]


#: Compiled functions of one kind that a process keeps: each takes some ten megabytes, and who drags a width makes many.
KEPT = 12


@functools.cache
def _libraries():
    # JAX loads SciPy's LAPACK when it first needs it: a search before that would not find it.
    importlib.import_module("scipy.linalg")
    return ThreadpoolController()


def one_blas_thread():
    """Return a context manager that gives LAPACK, of NumPy and of XLA, one thread for a block.

    XLA's own threads make the matrix products. LAPACK's wait in a busy loop and fight them for the cores: on two busy cores a
    full spectrum of 1,185 × 1,100 took 3 to 20 s with them and 0.5 to 2 s without.

    >>> with one_blas_thread():
    ...     spectrum = sl.full_spectrum(sl.from_matrix(jnp.eye(3)))
    """
    return _libraries().limit(limits=1, user_api="blas")
