import sys
from types import SimpleNamespace

import jax
import psutil
import pytest
from threadpoolctl import threadpool_info

from sketchlab import memory


@pytest.fixture
def container(monkeypatch, tmp_path):
    """A folder in place of that in which Linux describes the container, and no hub."""
    monkeypatch.delenv("MEM_LIMIT", raising=False)
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    return tmp_path


def describe(container, **files):
    for name, text in files.items():
        (container / f"memory.{name}").write_text(f"{text}\n")


def test_a_machine_without_a_container_leaves_what_is_free(container):
    assert 0 < memory.memory_at_hand() < sys.maxsize
    describe(container, max="max", current=10**15)
    assert memory.memory_at_hand() > 0


def test_a_container_leaves_what_none_of_its_processes_uses(container):
    describe(container, max=5 * 10**7, current=2 * 10**7)
    assert memory.memory_at_hand() == 3 * 10**7
    # Files that the kernel keeps in memory make room when asked.
    describe(container, stat="anon 5\ninactive_file 10000000")
    assert memory.memory_at_hand() == 4 * 10**7
    describe(container, current=6 * 10**7)
    assert memory.memory_at_hand() == 0


def test_the_limit_that_a_hub_names_counts_too(container, monkeypatch):
    monkeypatch.setenv("MEM_LIMIT", "30000000")
    describe(container, max=5 * 10**7, current=2 * 10**7)
    assert memory.memory_at_hand() == 10**7


def test_without_a_container_the_hubs_limit_is_less_what_this_process_uses(container, monkeypatch):
    monkeypatch.setenv("MEM_LIMIT", str(psutil.Process().memory_info().rss + 10**8))
    assert 0 < memory.memory_at_hand() <= 1.5e8
    monkeypatch.setenv("MEM_LIMIT", "1000")
    assert memory.memory_at_hand() == 0


def test_the_default_device_is_the_one_that_jax_is_told():
    device = jax.devices()[0]
    assert memory.default_device() == device
    for given in ("cpu", device):
        with jax.default_device(given):
            assert memory.default_device() == device


def test_an_accelerator_that_is_the_default_is_asked_for_its_memory(monkeypatch):
    statistics = {"bytes_limit": 10, "bytes_in_use": 3}
    device = SimpleNamespace(platform="gpu", memory_stats=lambda: statistics)
    monkeypatch.setattr(memory, "default_device", lambda: device)
    assert memory.memory_at_hand() == 7
    assert memory.compiler_options(5) is memory.compiler_options(None, quick=True) is None
    # A quarter of the memory.
    assert memory.block_for(100, 50, 8, 4 * 100 * 50 * 8) is None
    assert memory.block_for(100, 50, 8, 4 * 100 * 50 * 8 - 1) == 49


def test_a_quick_compilation_uses_only_options_that_this_xla_knows():
    jax.jit(lambda x: x).lower(1.0).compile(memory.quick_options(level=0))


@pytest.mark.parametrize(("flags", "level"), [("", 1), ("--xla_backend_optimization_level=3", None)])
def test_quick_steps_are_compiled_quickly_unless_the_environment_says_how(monkeypatch, flags, level):
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert (memory.compiler_options(None, quick=True) or {}).get("xla_backend_optimization_level") == level
    assert memory.compiler_options(None) is None


@pytest.mark.parametrize(
    "rows, parameters, options, expected",
    [
        (50, 80, {}, 50),
        (80, 50, {"oversampling": 6}, 44),
        (4, 80, {"oversampling": 6}, 0),
        (50, 80, {"memory": 1000}, 0),
        # 0.55 of the memory over 12 columns of 8 (N + P) bytes, less 16 columns.
        (1000, 9000, {"memory": 96 * 10**6}, 55 - 16),
    ],
)
def test_the_largest_rank_is_what_rows_parameters_and_memory_allow(rows, parameters, options, expected):
    assert memory.largest_rank(rows, parameters, itemsize=8, **options) == expected


def test_one_blas_thread_is_for_a_block_and_for_the_lapack_that_jax_calls():
    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with memory.one_blas_thread():
        assert len(threads()) >= 2 and set(threads()) == {1}
    assert len(threads()) >= 2
