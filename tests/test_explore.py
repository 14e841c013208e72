import asyncio
import subprocess
import sys

import numpy as np
import pytest

from sketchlab import OPTIMIZERS, PROBLEMS, InputError
from sketchlab.explore import TrainingExplorer

SMALL = {"width": 8, "depth": 1, "rank": 10, "points": 50}


def test_importing_the_package_loads_neither_plots_nor_widgets():
    check = "import sys, sketchlab; sys.exit(any(m in sys.modules for m in ('matplotlib', 'ipywidgets', 'plotly')))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_fills_all_panels(problem):
    explorer = TrainingExplorer(problem=problem, **SMALL)
    explorer.run_sync(2)
    assert explorer.error is None
    full, seen, rank, damping = explorer.spectrum_figure.data
    assert len(seen.x) == 10 and list(rank.x) == [10, 10] and len(damping.x) == 2
    assert np.allclose(full.y[0], explorer.trainer.spectrum().eigenvalues[0])
    assert [len(curve.x) for curve in explorer.convergence_figure.data] == [2, 2]
    solution = explorer.solution_figure.data[0]
    assert np.size(solution.y if explorer.problem.dim == 1 else solution.z) > 100


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_runs_in_the_explorer(optimizer):
    explorer = TrainingExplorer(problem="poisson_1d", optimizer=optimizer, **SMALL)
    explorer.run_sync(2)
    assert explorer.error is None and len(explorer.trainer.records) == 2


def test_run_pause_and_reset_on_an_event_loop():
    async def session():
        explorer = TrainingExplorer(problem="poisson_1d", steps=1000, **SMALL)
        explorer.run_button.click()
        while not (explorer.trainer and len(explorer.trainer.records) >= 3):
            assert explorer.error is None
            await asyncio.sleep(0.02)
        explorer.pause_button.click()
        paused_at = len(explorer.trainer.records)
        await asyncio.sleep(0.2)
        assert len(explorer.trainer.records) == paused_at < 1000
        explorer.reset_button.click()
        assert explorer.trainer is None and explorer.error is None

    asyncio.run(asyncio.wait_for(session(), 60))


def test_run_ends_by_itself_and_goes_on_from_there():
    async def session():
        explorer = TrainingExplorer(problem="poisson_1d", steps=3, **SMALL)
        for target in (3, 6):
            explorer.run()
            while explorer._loop.running:
                await asyncio.sleep(0.02)
            assert len(explorer.trainer.records) == target

    asyncio.run(asyncio.wait_for(session(), 60))


def test_an_error_while_running_is_shown_and_kept():
    explorer = TrainingExplorer(problem="poisson_1d", width=4, depth=1, rank=300, points=50)
    explorer.run()
    assert isinstance(explorer.error, InputError)
    assert "rank + oversampling = 300" in explorer.status.value
    explorer.set(rank=5)
    assert explorer.error is None


def test_controls_that_are_not_there_are_named():
    explorer = TrainingExplorer(**SMALL)
    with pytest.raises(InputError, match="no control 'wdith'"):
        explorer.set(wdith=8)
    with pytest.raises(InputError, match="rank = 7 is not on the control: use one of 5, 10"):
        explorer.set(rank=7)
