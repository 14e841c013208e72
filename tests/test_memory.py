import sys

import psutil
import pytest

from sketchlab import memory


@pytest.fixture
def used():
    return psutil.Process().memory_info().rss


def test_a_container_leaves_less_than_the_machine_has(monkeypatch, tmp_path, used):
    monkeypatch.delenv("MEM_LIMIT", raising=False)
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CGROUP_LIMIT", limit)
    free = memory.memory_at_hand()
    assert 0 < free < sys.maxsize
    limit.write_text("max\n")
    assert memory.memory_at_hand() > 0.5 * free
    limit.write_text(f"{used + 10**8}\n")
    assert 0 < memory.memory_at_hand() <= 1.5e8


def test_the_limit_that_a_hub_names_counts_too(monkeypatch, tmp_path, used):
    monkeypatch.setattr(memory, "CGROUP_LIMIT", tmp_path / "none")
    monkeypatch.setenv("MEM_LIMIT", str(used + 10**8))
    assert 0 < memory.memory_at_hand() <= 1.5e8
    monkeypatch.setenv("MEM_LIMIT", "1000")
    assert memory.memory_at_hand() == 0
