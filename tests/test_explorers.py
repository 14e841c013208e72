"""Every explorer by its synchronous twin: what a hand would do, without a browser."""

import asyncio
import dataclasses
import html
import json
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import traitlets
from ipywidgets.widgets.widget import _instances
from oracles import cauchy_riemann, robin_on_a_disk

import sketchlab as sl
from sketchlab.explore import EXPLORERS, from_settings
from sketchlab.explore.controls import Number
from sketchlab.explore.costs import ROUTES, Cost
from sketchlab.explore.decay_explorer import OPERATORS
from sketchlab.explore.equation_explorer import TEMPLATE
from sketchlab.explore.layers import steepen
from sketchlab.history import STOP_REASONS
from sketchlab.trainer import compiled_step

SMALL = {
    "spectrum": {"width": 8, "depth": 1, "points": 60, "rank": 10},
    "training": {"width": 6, "depth": 1, "points": 50, "rank": 10},
    "race": {"width": 4, "depth": 1, "points": 40, "seeds": 2, "budget": 3, "optimizer_1": "sngd(rank=5)", "optimizer_4": ""},
    "scaling": {"points": 40, "rank": 8, "largest_width": 16},
    "decay": {"width": 6, "points": 50},
    "equation": {"width": 6, "depth": 1, "points": 50, "rank": 10},
}
RUNNING = ["training", "race", "scaling", "equation"]


@pytest.fixture(autouse=True)
def nothing_on_disk(monkeypatch):
    monkeypatch.setenv("SKETCHLAB_CACHE", "off")


@pytest.fixture(autouse=True)
def strict_promotion():
    """Explorers run as in a notebook."""


@pytest.fixture
def made():
    """Make explorers that are closed after the test."""
    explorers = []

    def make(name, **choices):
        explorers.append(EXPLORERS[name](**SMALL[name] | choices))
        return explorers[-1]

    yield make
    for explorer in explorers:
        explorer.close()


@pytest.fixture(scope="class")
def explorer(name):
    """One explorer of a name for all tests that only look at it, or that leave it as usable as they found it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SKETCHLAB_CACHE", "off")
        explorer = EXPLORERS[name](**SMALL[name])
    yield explorer
    explorer.close()


async def piece_in_hand(explorer):
    """Wait until the piece in hand has ended, and has been shown."""
    await asyncio.get_running_loop().run_in_executor(explorer._background._thread, lambda: None)
    await asyncio.sleep(0)


def test_importing_the_package_loads_neither_plots_nor_widgets():
    check = (
        "import sys, sketchlab; sys.exit(any(m in sys.modules for m in ('matplotlib', 'ipywidgets', 'plotly', 'scipy.stats')))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_importing_the_explorers_leaves_every_module_importable():
    check = "import sketchlab as sl; sl.explore; import rfc3987_syntax, nbformat; nbformat.v4.new_notebook()"
    pytest.importorskip("rfc3987_syntax")
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.parametrize("name", EXPLORERS, scope="class")
class TestEveryExplorer:
    def test_is_made_in_one_line_and_has_pictures(self, explorer, name):
        assert explorer.error is None and explorer.state == "idle"
        assert explorer.title in explorer.widget.children[0].value and explorer.look_for in explorer.widget.children[0].value
        if name == "race":
            explorer.run_sync(1)
        assert explorer.figures and all(figure.layout.title.text for figure in explorer.figures)
        assert all(axis.title.text for figure in explorer.figures for axis in (figure.layout.xaxis,))

    def test_every_control_has_a_name_and_a_keyboard_box(self, explorer, name):
        for control in explorer.controls.values():
            named = control.widget.label if isinstance(control, Number) else control.widget.description
            help = control.widget.help if isinstance(control, Number) else control.widget.tooltip
            # A text of several lines has no room for its name: the tooltip tells it.
            assert (named == control.label or getattr(control, "lines", 1) > 1) and help

    def test_settings_and_code_bring_it_back(self, explorer, name):
        again = from_settings(explorer.settings)
        assert again.settings == explorer.settings
        once_more = eval(explorer.code, {"sl": sl})
        assert once_more.settings == explorer.settings
        assert explorer._page.text == explorer.code and explorer.code.startswith(f"sl.explore.{name}(")
        again.close()
        once_more.close()

    def test_saves_figures_and_numbers(self, explorer, name, tmp_path):
        if name in RUNNING:
            explorer.run_sync(2)
        files = explorer.save_figure(tmp_path / "picture")
        assert [file.suffix for file in files] == [".png", ".pdf"] and all(file.stat().st_size > 5000 for file in files)
        file = explorer.save_run(tmp_path / "numbers")
        with np.load(file) as stored:
            assert len(stored.files) > 2
        assert str(file) in explorer.saved.value
        assert sorted(path.name for path in tmp_path.iterdir()) == ["numbers.npz", "picture.pdf", "picture.png"]

    def test_a_file_that_cannot_be_written_is_said(self, explorer, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(sl.InputError, match="cannot write"):
            explorer.save_run(tmp_path / "missing" / "numbers")
        missing = tmp_path / "missing"
        monkeypatch.setattr("sketchlab.explore.explorer.file_called", lambda path, ending, name: missing / f"x.{ending}")
        explorer.buttons["save_run"].click()
        assert isinstance(explorer.error, sl.InputError) and "cannot write" in explorer.status.value
        assert list(tmp_path.iterdir()) == []

    def test_what_is_not_there_is_refused_by_name(self, explorer, made, name):
        with pytest.raises(sl.InputError, match="no control 'wdith': use"):
            explorer.set(wdith=8)
        with pytest.raises(sl.InputError, match="seed|scale|points"):
            explorer.set(points=-1)
        with pytest.raises(sl.InputError, match="no control 'colour'"):
            made(name, colour=3)

    def test_closing_leaves_no_widget(self, name):
        # The first brings the one copy of plotly.js, which stays for all.
        EXPLORERS[name](**SMALL[name]).close()
        before = len(_instances)
        explorer = EXPLORERS[name](**SMALL[name])
        if name in RUNNING:
            explorer.run_sync(1)
        assert len(_instances) > before
        explorer.close()
        assert len(_instances) == before


#: One of each kind; the training explorer, which shows most, takes all.
KINDS = ["poisson_1d", "heat_1d", "poisson_5d", "transport_1d", "l_shape", "kovasznay", "allen_cahn"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [("training", problem) for problem in sl.PROBLEMS] + [(n, p) for n in ("spectrum", "race", "scaling") for p in KINDS],
)
def test_every_problem(made, name, problem):
    explorer = made(name, problem=problem)
    if name in RUNNING:
        explorer.run_sync(2)
    assert explorer.error is None


def test_a_problem_of_ones_own(made):
    mine = sl.Problem(
        "mine", sl.Box([0.0], [1.0]), [sl.interior(lambda u, x: sl.laplacian(u)(x) + 1), sl.boundary(lambda u, x: u(x))]
    )
    for name in ("spectrum", "training", "race", "scaling"):
        explorer = made(name, problem=mine)
        if name in RUNNING:
            explorer.run_sync(2)
        assert explorer.error is None and "problem=mine," in explorer.code


# The spectrum explorer


def test_spectrum_figures_agree_with_the_package(made):
    explorer = made("spectrum", rank=12, power_iterations=1)
    problem, network = sl.PROBLEMS["heat_1d"](), sl.MLP(2, 8, 1)
    full = sl.spectrum(problem, network, points=60)
    everything, sketched, *_ = explorer.spectrum_figure.data
    assert np.allclose(everything.y, full.eigenvalues, rtol=1e-6, atol=1e-25)
    assert len(sketched.y) == 12
    assert np.allclose(sketched.y[:6], full.eigenvalues[:6], rtol=1e-6)
    best, _, _, now, *_ = explorer.error_figure.data
    assert np.allclose(best.y, full.eigenvalues[1 : 1 + len(best.y)], rtol=1e-6, atol=1e-25)
    assert float(full.eigenvalues[12]) * 0.99 <= now.y[0] <= sl.halko_bounds(full.eigenvalues, 12, 6, 1).likely.spectral
    dimension = float(full.effective_dimension(1e-8 * full.eigenvalues[0]))
    assert f"d(μ) = {dimension:.1f}" in explorer.status.value


def test_the_error_on_screen_is_the_error(made):
    explorer = made("spectrum", rank=7)
    found = explorer._found
    singular_values, vectors = found.sketches.ritz(7)
    right = np.asarray(found.sketches.basis)[:, : len(vectors)] @ vectors
    gramian = (found.right * found.eigenvalues) @ found.right.T
    exact = np.linalg.norm(gramian - (right * singular_values**2) @ right.T, 2)
    assert np.isclose(explorer.error_figure.data[3].y[0], exact, rtol=0.02)


def test_dragging_the_rank_collects_errors_and_compiles_nothing(made):
    explorer = made("spectrum")
    found = explorer._found
    for rank in (3, 5, 9):
        explorer.set(rank=rank)
        assert len(explorer.spectrum_figure.data[1].x) == rank
    assert explorer._found is found
    assert list(explorer.error_figure.data[2].x) == [10, 3, 5, 9]


def test_a_rank_above_the_points_moves_and_says_so(made):
    explorer = made("spectrum", points=20, rank=400)
    assert explorer.controls["rank"].value == explorer.settings["rank"] == 20
    assert "Rank moved to 20" in explorer.status.value and explorer.error is None
    explorer.set(eigenfunction=300)
    explorer.set(seed=1)
    assert explorer.controls["eigenfunction"].value == 20 and explorer.error is None


def test_a_network_that_does_not_fit_is_refused_with_the_figure(made, monkeypatch):
    for module in ("sketchlab.memory", "sketchlab.explore.spectrum_record"):
        monkeypatch.setattr(f"{module}.memory_at_hand", lambda: 10**5)
    explorer = made("spectrum", width=64)
    assert isinstance(explorer.error, sl.InputError)
    assert "J, 60 × 257, has 0.123 MB, and 0.1 MB are at hand. Take a smaller network" in explorer.status.value
    monkeypatch.undo()
    explorer.set(width=8)
    assert explorer.error is None


def test_too_much_work_for_the_full_spectrum_leaves_the_sketch(made, monkeypatch):
    monkeypatch.setattr("sketchlab.explore.spectrum_record.FULL_WORK", 10)
    explorer = made("spectrum", eigenfunction=3)
    assert explorer.error is None and "too much work" in explorer.status.value
    assert len(explorer.spectrum_figure.data[0].x) == 0 and len(explorer.spectrum_figure.data[1].x) == 10


def test_clicking_an_eigenvalue_draws_its_eigenfunction(made):
    explorer = made("spectrum")
    explorer._choose([4])
    assert explorer.controls["eigenfunction"].value == 5
    assert "Eigenfunction 5" in explorer.eigenfunction_figure.layout.title.text
    field = explorer.eigenfunction_figure.data[0]
    points = np.stack(np.meshgrid(field.x, field.y, indexing="ij"), -1).reshape(-1, 2)
    found = explorer._found
    vector = found.right[:, 4:5]
    expected = sl.tangent_functions(sl.PROBLEMS["heat_1d"](), found.network, found.theta, vector, points)[:, 0]
    assert np.allclose(np.asarray(field.z).T.ravel(), expected)


def test_the_activation_scale_steepens_the_network(made):
    explorer = made("spectrum", activation_scale=3.0)
    network = sl.MLP(2, 8, 1)
    theta = steepen(network, sl.Trainer(sl.PROBLEMS["heat_1d"](), network, sl.adam(), points=60).theta, 3.0)
    expected = sl.spectrum(sl.PROBLEMS["heat_1d"](), network, theta, points=60)
    assert np.isclose(explorer.spectrum_figure.data[0].y[0], expected.eigenvalues[0])


# The training explorer


@pytest.mark.parametrize("optimizer", sl.OPTIMIZERS)
def test_every_optimizer_trains(made, optimizer):
    explorer = made("training", optimizer=optimizer)
    explorer.run_sync(2)
    assert explorer.error is None and len(explorer.trainer.records) == 2
    assert [len(curve.x) for curve in explorer.convergence_figure.data] == [2, 2]


def test_training_shows_what_the_trainer_found(made):
    explorer = made("training").run_sync(3)
    everything, seen, rank, damping = explorer.spectrum_figure.data
    # Both of the parameters that the last step started from, where Ritz values are below eigenvalues.
    assert len(everything.y) == 25 and np.all(np.array(seen.y) <= np.array(everything.y[:10]) * (1 + 1e-9))
    assert np.isclose(seen.y[0], everything.y[0], rtol=1e-6)
    assert np.allclose(seen.y, explorer.trainer.records[-1].eigenvalues)
    assert list(rank.x) == [10, 10] and damping.y[0] == explorer.trainer.records[-1].damping
    error = explorer.convergence_figure.data[1]
    assert error.y[-1] == explorer.trainer.records[-1].relative_error
    explorer.set(against="seconds")
    assert explorer.convergence_figure.data[0].x[-1] == explorer.trainer.seconds


def test_options_apply_during_a_run(made):
    explorer = made("training").run_sync(2)
    explorer.set(rank=4, momentum=0.2)
    assert "rank k, momentum: from the next step on" in explorer.status.value
    explorer.run_sync(1)
    assert [len(record.eigenvalues) for record in explorer.trainer.records] == [10, 10, 4]
    assert "run_sync" not in explorer.code
    explorer.set(rank=300)
    assert "Rank moved to 25" in explorer.status.value and explorer.controls["rank"].value == 25
    explorer.set(optimizer="adam", learning_rate=0.01)
    explorer.run_sync(1)
    assert explorer.trainer.optimizer.settings == {"learning_rate": 0.01} and len(explorer.trainer.records) == 4
    explorer.set(search="step grid", optimizer="engd")
    explorer.run_sync(1)
    assert explorer.trainer.optimizer.name == "engd" and len(explorer.trainer.records) == 5


def test_structure_applies_on_reset(made):
    explorer = made("training").run_sync(2)
    explorer.set(width=9)
    assert "width applies on Reset" in explorer.status.value and explorer.network.width == 6
    explorer.set(seed=3)
    assert "width, seed apply on Reset" in explorer.status.value
    explorer.buttons["reset"].click()
    assert explorer.trainer is None and explorer.network.width == 9
    explorer.run_sync(1)
    assert explorer.trainer.seed == 3


def test_reset_with_the_same_structure_repeats_the_run_without_compiling(made):
    explorer = made("training").run_sync(3)
    first, compiled = explorer.trainer.records, compiled_step.cache_info().misses
    explorer.reset()
    assert explorer.trainer is None and explorer.convergence_figure.data[0].x == ()
    explorer.run_sync(3)
    assert compiled_step.cache_info().misses == compiled
    assert [record.loss for record in explorer.trainer.records] == [record.loss for record in first]


def test_controls_that_an_optimizer_lacks_are_off(made):
    explorer = made("training", optimizer="adam")
    assert explorer.controls["rank"].widget.disabled and not explorer.controls["learning_rate"].widget.disabled
    explorer.set(optimizer="sngd")
    assert not explorer.controls["rank"].widget.disabled and explorer.controls["learning_rate"].widget.disabled


def test_a_training_rank_above_the_points_moves_and_says_so(made):
    explorer = made("training", rank=300)
    assert explorer.controls["rank"].value == 25 and "Rank moved to 25" in explorer.status.value
    explorer.run_sync(1)
    assert explorer.error is None


def test_a_saved_training_run_loads(made, tmp_path):
    explorer = made("training").run_sync(2)
    file = explorer.save_run(tmp_path / "run.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]
    run = sl.load(file)
    assert len(run.history) == 2 and np.array_equal(run.theta, explorer.trainer.theta)
    longer = sl.resume(file, steps=3, progress=False)
    assert longer.history.loss[-1] == explorer.run_sync(1).trainer.records[-1].loss
    assert [path.name for path in explorer.save_figure(str(tmp_path / "picture.png"))] == ["picture.png", "picture.pdf"]


def test_reset_after_another_rank_trains_with_what_the_controls_say(made):
    explorer = made("training").run_sync(2)
    explorer.set(rank=4)
    explorer.run_sync(1)
    explorer.reset()
    explorer.run_sync(2)
    assert [len(record.eigenvalues) for record in explorer.trainer.records] == [4, 4]
    again = made("training", rank=4).run_sync(2)
    assert [record.loss for record in explorer.trainer.records] == [record.loss for record in again.trainer.records]


def test_another_seed_on_an_uneven_box(made):
    # Shares that are rounded up to one point a face.
    box = sl.Box([0.0, 0.0], [1.0, 10.0])
    problem = sl.Problem("long", box, [sl.interior(lambda u, x: sl.laplacian(u)(x)), sl.boundary(lambda u, x: u(x) - 1.0)])
    explorer = made("training", problem=problem).run_sync(1)
    explorer.set(seed=1)
    explorer.reset()
    explorer.run_sync(1)
    assert explorer.error is None and explorer.trainer.seed == 1


def test_a_step_that_does_not_fit_into_memory_is_refused(made, monkeypatch):
    explorer = made("training")
    monkeypatch.setattr(sl.Trainer, "step_bytes", 10**15)
    explorer.run()
    assert isinstance(explorer.error, sl.InputError) and "GiB are at hand" in explorer.status.value
    monkeypatch.undo()
    explorer.run_sync(1)
    assert len(explorer.trainer.records) == 1
    # An optimizer that does not fit is refused, and the one before goes on.
    monkeypatch.setattr(sl.Trainer, "step_bytes", 10**15)
    explorer.set(optimizer="engd")
    explorer.run()
    assert isinstance(explorer.error, sl.InputError)
    monkeypatch.undo()
    explorer.set(optimizer="sngd")
    explorer.run_sync(1)
    assert [len(record.eigenvalues) for record in explorer.trainer.records] == [10, 10]


def test_systems(made):
    for name in ("spectrum", "training", "race", "scaling"):
        explorer = made(name, problem=cauchy_riemann())
        if name in RUNNING:
            explorer.run_sync(2)
        assert explorer.error is None
    # Two rows at every point.
    assert explorer.work.rows == 80


@pytest.mark.parametrize("reason", ["solved", "non-finite", "stalled"])
def test_a_run_that_cannot_go_on_stops_and_says_why(made, monkeypatch, reason):
    explorer = made("training")
    explorer.run_sync(1)
    monkeypatch.setattr(type(explorer.trainer), "ended", property(lambda self: reason if len(self.records) >= 3 else None))
    explorer.set(steps=50)
    explorer.run()
    assert len(explorer.trainer.records) == 3 and explorer.state == "idle"
    assert f"stopped after 3 steps: {STOP_REASONS[reason]}." in html.unescape(explorer.status.value)
    # Whoever wants to go on may try.
    explorer.run_sync(5)
    assert len(explorer.trainer.records) == 4 and explorer.code.endswith(".run_sync(4)")


def test_a_zero_solution_is_solved_at_once(made):
    zero = sl.Problem("zero", sl.Box(0, 1), [sl.interior(lambda u, x: 0 * u(x))])
    explorer = made("training", problem=zero, steps=50)
    explorer.run()
    assert len(explorer.trainer.records) == 1 and "the loss is zero" in explorer.status.value


def test_the_damping_path_moves_after_a_step_grid(made):
    explorer = made("training", search="step grid").run_sync(3)
    assert all(record.damping == 0 for record in explorer.trainer.records)
    explorer.set(search="damping path")
    explorer.run_sync(6)
    later = explorer.trainer.records[3:]
    assert sum(record.accepted for record in later) >= 4 and len({record.damping for record in later}) == 6
    assert later[-1].loss < 0.5 * explorer.trainer.records[2].loss


def test_another_optimizer_gives_a_stalled_run_its_chance(made, monkeypatch):
    monkeypatch.setattr("sketchlab.trainer.STALLED", 2)
    explorer = made("training", optimizer="adam").run_sync(1)
    trainer = explorer.trainer
    refused = [trainer.records[0]._replace(step=i, accepted=False) for i in (2, 3)]
    trainer.reached = trainer.reached._replace(records=(*trainer.records, *refused))
    assert trainer.ended == "stalled"
    explorer.set(optimizer="engd")
    explorer.run_sync(2)
    assert len(trainer.records) == 5 and trainer.ended is None


# A number that residuals read from outside.
FACTOR = 1.0


def rod():
    def residual(u, x):
        return -FACTOR * sl.laplacian(u)(x) - 1.0

    return sl.Problem("rod", sl.Box(0, 1), [sl.interior(residual), sl.boundary(lambda u, x: u(x))])


def test_the_spectrum_is_one_of_the_number_as_it_is_now_and_remembered_by_it(made, monkeypatch):
    explorer = made("spectrum", problem=rod())

    def asked_again():
        explorer.set(width=9)
        explorer.set(width=8)
        return explorer._found

    first = explorer._found
    assert asked_again() is first
    monkeypatch.setitem(globals(), "FACTOR", 100.0)
    assert asked_again().eigenvalues[0] > 1e3 * first.eigenvalues[0]
    monkeypatch.undo()
    assert asked_again() is first


def test_a_number_that_has_changed_is_used_after_reset(made, monkeypatch):
    problem = rod()
    explorer = made("training", problem=problem).run_sync(1)
    first = explorer.trainer.records[0].eigenvalues[0]
    monkeypatch.setitem(globals(), "FACTOR", 100.0)
    explorer.reset()
    before = np.array(explorer.error_figure.data[0].y)
    explorer.run_sync(1)
    assert explorer.trainer.records[0].eigenvalues[0] > 1e3 * first
    # The picture at Reset is of the new equation too.
    again = made("training", problem=problem)
    assert np.allclose(before, again.error_figure.data[0].y, rtol=1e-12)


@pytest.mark.parametrize("name", ["training", "race"])
@pytest.mark.parametrize("solution", [True, False])
def test_a_problem_on_a_disk(made, name, solution):
    problem = robin_on_a_disk()
    explorer = made(name, problem=problem if solution else dataclasses.replace(problem, solution=None)).run_sync(2)
    assert explorer.error is None
    if name == "training":
        for live in (explorer.solution_figure, explorer.error_figure):
            field = live.data[0]
            outside = np.add.outer(np.square(field.y), np.square(field.x)) > 1
            assert np.array_equal(np.equal(np.array(field.z, object), None), outside) and outside.any()


def test_the_spectrum_and_the_cost_of_a_problem_on_a_disk(made):
    spectrum = made("spectrum", problem=robin_on_a_disk())
    field = spectrum.eigenfunction_figure.data[0]
    outside = np.add.outer(np.square(field.y), np.square(field.x)) > 1
    assert spectrum.error is None and np.array_equal(np.equal(np.array(field.z, object), None), outside) and outside.any()
    assert made("scaling", problem=robin_on_a_disk()).run_sync(1).error is None


@pytest.mark.parametrize("network", ["periodic", "fourier", sl.Periodic(sl.MLP(3, 5, 1), (1.0, None))], ids=str)
def test_the_spectrum_of_other_networks(made, network):
    explorer = made("spectrum", network=network, activation_scale=3.0)
    assert explorer.error is None and explorer.controls["activation_scale"].widget.disabled
    found = explorer._found
    full = sl.spectrum(sl.PROBLEMS["heat_1d"](), found.network, points=60)
    assert np.allclose(found.eigenvalues[:10], full.eigenvalues[:10], rtol=1e-6)
    explorer.set(network="mlp")
    assert not explorer.controls["activation_scale"].widget.disabled and explorer._found.network == sl.MLP(2, 8, 1)


@pytest.mark.parametrize("kind", ["mlp", "periodic", "fourier"])
@pytest.mark.parametrize("name", ["training", "race", "equation"])
def test_kinds_of_networks(made, name, kind):
    explorer = made(name, network=kind).run_sync(2)
    assert explorer.error is None and not explorer.controls["width"].widget.disabled


def test_a_network_of_ones_own(made, tmp_path):
    hard = sl.Hard(sl.MLP(1, 5, 1), None, lambda x: x[0] * (1 - x[0]))
    explorer = made("training", problem="poisson_1d", network=hard).run_sync(2)
    assert explorer.network is hard and explorer.controls["width"].widget.disabled and "network=network, " in explorer.code
    assert explorer.solution_figure.data[0].y[0] == 0
    with pytest.raises(
        sl.InputError, match="network = 'Hard' is not on the control: use one of usual, mlp, periodic, fourier, or"
    ):
        from_settings(explorer.settings)
    run = sl.load(explorer.save_run(tmp_path / "run"), network=hard)
    assert np.array_equal(run.theta, explorer.trainer.theta)
    explorer.set(network="mlp")
    assert "network applies on Reset" in explorer.status.value and not explorer.controls["width"].widget.disabled
    explorer.reset()
    assert explorer.network == sl.MLP(1, 6, 1)
    explorer.set(problem="heat_1d", network=hard)
    assert "has dim = 2, but the network has dim = 1" in str(explorer.error)
    periodic = sl.Periodic(sl.MLP(3, 5, 1), (1.0, None))
    again = from_settings(made("race", network=periodic).settings)
    assert again._network(None) == periodic
    again.close()


def test_a_worker_reads_no_widget(made, monkeypatch):
    explorers = [made(name) for name in RUNNING]
    here, read = threading.current_thread(), traitlets.HasTraits.__getattribute__

    def watched(self, name):
        assert threading.current_thread() is here or not name.startswith("value"), (self, name)
        return read(self, name)

    monkeypatch.setattr("ipywidgets.Widget.__getattribute__", watched, raising=False)
    for explorer in explorers:
        explorer.run_sync(2)
        assert explorer.error is None


def test_run_pause_step_and_reset_on_an_event_loop():
    async def session():
        explorer = EXPLORERS["training"](**SMALL["training"], problem="poisson_1d", steps=2000)
        click = {name: button.click for name, button in explorer.buttons.items()}
        # A Pause before the first step is no error.
        click["run"]()
        click["pause"]()
        assert explorer.state == "paused"
        await piece_in_hand(explorer)
        click["run"]()
        while not (explorer.trainer and len(explorer.trainer.records) >= 5):
            assert explorer.error is None
            await asyncio.sleep(0.01)
        assert explorer.state == "running"
        click["pause"]()
        await piece_in_hand(explorer)
        paused_at = len(explorer.trainer.records)
        await asyncio.sleep(0.1)
        assert len(explorer.trainer.records) == paused_at < 2000 and explorer.state == "paused"
        # Steps that are asked for while one is in hand add up.
        for _ in range(3):
            click["step"]()
        while explorer._background.running:
            await asyncio.sleep(0.01)
        assert len(explorer.trainer.records) == paused_at + 3 and explorer.state == "idle"
        click["reset"]()
        assert explorer.trainer is None and explorer.error is None
        # A Reset while the first step compiles: the step that ends afterwards belongs to nobody.
        explorer.set(width=7)
        explorer.run()
        await asyncio.sleep(0.2)
        explorer.set(width=5)
        explorer.reset()
        await piece_in_hand(explorer)
        assert explorer.trainer is None and explorer.network.width == 5
        explorer.step()
        while explorer._background.running:
            await asyncio.sleep(0.01)
        assert explorer.error is None and explorer.trainer.network.width == 5 and len(explorer.trainer.records) == 1
        explorer.close()

    asyncio.run(asyncio.wait_for(session(), 120))


def test_a_verification_hears_pause_and_run():
    async def session():
        explorer = EXPLORERS["training"](**SMALL["training"], problem="poisson_1d", steps=400)
        explorer.run_sync(400)
        for button, said in (("pause", "nothing is known of the error"), ("step", "step 401")):
            explorer.buttons["verify"].click()
            while explorer._background._in_hand != explorer._background._latest:
                await asyncio.sleep(0.001)
            explorer.buttons[button].click()
            while said not in explorer.status.value:
                await asyncio.sleep(0.01)
        assert explorer.error is None and explorer.state == "idle"
        explorer.close()

    asyncio.run(asyncio.wait_for(session(), 120))


def test_two_explorers_run_side_by_side():
    async def session():
        explorers = [EXPLORERS["training"](**SMALL["training"] | {"width": width}, steps=20) for width in (4, 6)]
        for explorer in explorers:
            explorer.run()
        while any(explorer._background.running for explorer in explorers):
            await asyncio.sleep(0.01)
        for explorer, size in zip(explorers, (17, 25), strict=True):
            assert explorer.error is None and len(explorer.trainer.records) == 20
            assert explorer.trainer.theta.size == size
            explorer.close()

    asyncio.run(asyncio.wait_for(session(), 120))


def test_an_error_in_the_background_is_shown_and_kept():
    async def session():
        explorer = EXPLORERS["training"](**SMALL["training"])
        explorer.work.step = lambda values: 1 / 0
        explorer.run()
        while explorer.error is None:
            await asyncio.sleep(0.01)
        assert isinstance(explorer.error, ZeroDivisionError) and "ZeroDivisionError: division by zero" in explorer.status.value
        assert not explorer._background.running
        explorer.close()

    asyncio.run(asyncio.wait_for(session(), 60))


# The race


def test_a_race_is_fair_and_fills_its_table(made):
    explorer = made("race").run_sync()
    assert [lane.text for lane in explorer.work.lanes] == ["sngd(rank=5)", "engd()", "adam(learning_rate=0.01)"]
    assert all([len(records) for records in lane.runs] == [3, 3] for lane in explorer.work.lanes)
    for seed in range(2):
        alone = sl.train(
            sl.PROBLEMS["heat_1d"](), sl.MLP(2, 4, 1), sl.natural_gradient(), steps=3, points=40, seed=seed, progress=False
        )
        raced = [record.relative_error for record in explorer.work.lanes[1].runs[seed]]
        assert np.allclose(raced, alone.history.relative_error, rtol=1e-6)
    assert explorer._table.value.count("<tr>") == 4 and "Finished" in explorer.status.value
    band, curve = explorer.race_figure.data[:2]
    errors = [lane[-1].relative_error for lane in explorer.work.lanes[0].runs]
    assert curve.y[-1] == np.median(errors) and max(band.y[2:4]) == max(errors)


def test_a_race_goes_turn_by_turn(made):
    explorer = made("race")
    explorer.run_sync(4)
    assert sorted(len(lane.runs[0]) for lane in explorer.work.lanes) == [1, 1, 2]
    explorer.set(width=9)
    assert "width applies on Reset" in explorer.status.value
    explorer.set(points=50)
    assert "width, points apply on Reset" in explorer.status.value
    explorer.set(width=4, points=40)
    assert "on Reset" not in explorer.status.value


def test_a_race_by_seconds_gives_everyone_as_much(made):
    explorer = made("race", equal="seconds", budget=1, seeds=1).run_sync(60)
    spent = [lane.runs[0][-1].seconds for lane in explorer.work.lanes]
    longest = max(np.max(np.diff([record.seconds for record in lane.runs[0]], prepend=0)) for lane in explorer.work.lanes)
    assert max(spent) - min(spent) <= longest + 1e-9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sngdd()", "Did you mean 'sngd'"),
        ("sngd(rnk=3)", "sngd has no option 'rnk'. Did you mean 'rank'?"),
        ("sngd(rank=3", "cannot be read"),
        ("sngd(rank=300)", "sngd(rank=300): rank + oversampling = 300"),
        ("1 + 1", "cannot be read"),
        ("engd()", "two or more different optimizers"),
        ("engd", "two or more different optimizers"),
        ("adam(learning_rate=-1)", "learning_rate = -1"),
    ],
)
def test_optimizers_that_cannot_race_are_refused_in_words(made, text, message):
    explorer = made("race", optimizer_1=text, optimizer_2="engd()", optimizer_3="")
    explorer.buttons["run"].click()
    assert isinstance(explorer.error, sl.InputError) and message in str(explorer.error)


# The scaling


def test_scaling_measures_what_fits_and_predicts_the_rest(made):
    explorer = made("scaling").run_sync()
    assert set(explorer.work.measured) == {(size, route) for size in (sl.MLP(2, w, 2).size for w in (8, 16)) for route in ROUTES}
    for i in range(len(ROUTES)):
        dots, law = explorer.time_figure.data[2 * i : 2 * i + 2]
        assert len(dots.x) == 2 and len(law.x) == 80 and law.x[-1] > 4e6 and np.all(np.asarray(law.y) > 0)
    assert list(explorer.time_figure.data[-1].x) == [1e6, 1e6]


def test_scaling_does_not_run_what_does_not_fit(made, monkeypatch):
    monkeypatch.setattr("sketchlab.explore.costs.memory_at_hand", lambda: 1000)
    explorer = made("scaling", largest_width=8).run_sync()
    assert all(seconds is None and memory > 1000 for seconds, memory in explorer.work.measured.values())
    assert explorer.error is None


def test_a_law_is_found_again(made):
    explorer = made("scaling")
    work = ROUTES["sketched"].amounts["seconds"]
    sizes = [100, 1000, 10_000]
    explorer.work.measured = {(p, "sketched"): Cost(1e-3 + 1e-9 * work(40, p, 8), 1) for p in sizes}
    law = explorer.work.law("sketched", "seconds")
    assert np.allclose(law(np.array([500.0, 1e6])), [1e-3 + 1e-9 * work(40, p, 8) for p in (500, 1e6)], rtol=1e-6)


# The decay


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_bound_is_above_the_eigenvalues(made, operator):
    explorer = made("decay", operator=operator)
    for scale in (0.5, 2.0, 10.0):
        explorer.set(scale=scale)
        measured, _, sharpened, rounding = explorer.spectrum_figure.data
        count = min(len(measured.y), len(sharpened.y))
        seen, bound = (np.array(trace.y[:count], float) for trace in (measured, sharpened))
        above = seen > 100 * rounding.y[0]
        assert above.sum() > 3 and np.all(seen[above] <= bound[above])


def test_steeper_neurons_shrink_the_ellipse(made):
    explorer = made("decay", scale=1.0)
    height = max(explorer.plane_figure.data[1].y)
    explorer.set(scale=4.0)
    assert max(explorer.plane_figure.data[1].y) < height
    # The nearest pole lies on the ellipse: the sum of its distances from the foci is that of the ellipse.
    poles = np.array(explorer.plane_figure.data[2].x) + 1j * np.array(explorer.plane_figure.data[2].y)
    ellipse = explorer.plane_figure.data[1].x[0] + 1j * explorer.plane_figure.data[1].y[0]
    distances = np.abs(poles - 1) + np.abs(poles + 1)
    assert np.isclose(distances.min(), abs(ellipse - 1) + abs(ellipse + 1))


# One's own equation


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("u(x) ** 3 - 1.0", "u(x) **"), "line 3 cannot be read: invalid syntax"),
        (("u(x) ** 3", "v(x)"), "name 'v' is not defined: define it above"),
        (("u(x) ** 3", "(u(x) if u(x) > 0 else 0.0)"), "write jnp.where(condition, a, b) in place of if"),
        (("u(x) ** 3", "np.sin(u(x))"), "write jnp.sin in place of np.sin"),
        (("u(x) ** 3", "jnp.log(x[0] - 2.0)"), "is non-finite at x = ("),
        (("problem =", "my_problem ="), "the text makes no problem"),
        (("[1.0, 1.0]", "[1.0, 1.0, 1.0]"), "a box needs two corners of one length"),
        (("u(x) ** 3", "u(x, x)"), "line 3"),
    ],
)
def test_mistakes_in_an_equation_are_said_in_words(made, change, message):
    explorer = made("equation", source=TEMPLATE.replace(*change))
    assert isinstance(explorer.error, sl.InputError) and message in str(explorer.error)
    assert "Traceback" not in explorer.status.value
    explorer.run()
    assert explorer.trainer is None and message in str(explorer.error)
    explorer.set(source=TEMPLATE)
    explorer.run_sync(2)
    assert explorer.error is None and len(explorer.trainer.records) == 2


def test_a_text_from_settings_waits_to_be_run(tmp_path):
    trace = tmp_path / "trace"
    source = TEMPLATE + f"import pathlib\npathlib.Path({str(trace)!r}).touch()\n"
    explorer = from_settings({"explorer": "equation", "source": source, "unread": False} | SMALL["equation"])
    explorer.set(width=5)
    explorer.reset()
    explorer.controls["points"].value = 60
    assert not trace.exists() and explorer.controls["source"].value == source and not explorer.figures
    assert explorer.status.value.count("this text came with the settings: read it, then press Run.") == 1
    again = from_settings(explorer.settings)
    assert again.settings == explorer.settings and not trace.exists()
    again.close()
    explorer.set(steps=2)
    explorer.run()
    assert trace.exists() and explorer.error is None and len(explorer.trainer.records) == 2
    explorer.close()


def test_a_link_moves_controls_that_it_names_and_runs_no_text(made, tmp_path):
    explorer = made("decay")
    assert json.loads(explorer._page.settings) == explorer.settings
    explorer._page._hear(None, {"settings": {"explorer": "decay", "scale": 2.0}}, None)
    assert explorer.error is None and explorer.settings["scale"] == 2.0
    explorer._page._hear(None, {"settings": {"scale": "large"}}, None)
    assert isinstance(explorer.error, sl.InputError) and explorer.settings["scale"] == 2.0
    explorer._page._hear(None, {"settings": {"colour": 1}}, None)
    assert "there is no control 'colour'" in str(explorer.error) and "there is no control" in explorer.status.value

    trace = tmp_path / "trace"
    source = TEMPLATE + f"import pathlib\npathlib.Path({str(trace)!r}).touch()\n"
    explorer = made("equation")
    explorer._page._hear(None, {"settings": {"source": source}}, None)
    # A second link without a text leaves the one before unread.
    explorer._page._hear(None, {"settings": {"width": 6}}, None)
    explorer.set(width=5)
    assert not trace.exists() and explorer.controls["source"].value == source
    assert "this text came with the settings" in explorer.status.value
    explorer.run_sync(1)
    assert trace.exists()


def test_another_equation_starts_over(made):
    explorer = made("equation").run_sync(2)
    explorer.set(source=TEMPLATE.replace("- 1.0", "- 2.0"))
    assert explorer.trainer is None
    explorer.run_sync(1)
    assert len(explorer.trainer.records) == 1


def test_no_warning_is_raised_by_any_explorer(made):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in EXPLORERS:
            explorer = made(name)
            if name in RUNNING:
                explorer.run_sync(1)
            assert explorer.error is None


def test_a_run_is_verified_by_a_button(made):
    explorer = made("training", problem="poisson_1d", width=8, points=60, rank=20)
    explorer.buttons["verify"].click()
    assert "Press Run first" in explorer.status.value
    explorer.run_sync(25)
    with explorer._background.waiting():
        explorer.buttons["verify"].click()
    assert explorer.error is None and "relative error about" in explorer.status.value
    assert explorer.trainer.records[-1].step == 25


def test_slabs_of_time_are_solved_one_after_the_other(made, tmp_path):
    explorer = made("training", problem="transport_1d", slabs=3, steps=4, points=200, width=8, rank=30)
    explorer.run()
    assert explorer.error is None and len(explorer.trainer.records) == 12 and explorer.trainer.slab == 2
    run = sl.load(explorer.save_run(tmp_path / "run"))
    assert run.network.count == 3 and run.settings["slab_steps"] == [4, 4, 4]
    x = np.stack([np.full(40, 0.0), np.linspace(0.0, 1.0, 40)], axis=1)
    drawn = np.asarray(explorer.solution_figure.data[0].z, float)
    # Rows lie along the time axis, which is drawn whole.
    assert np.allclose(drawn[:, 0], run.solution(x)[: len(drawn)])
    assert "slabs=3" in explorer.code and explorer.code.endswith(".run_sync(12)")
    explorer.set(steps=9)
    assert "steps applies on Reset" in explorer.status.value.replace("steps apply", "steps applies")
    explorer.set(problem="poisson_2d")
    explorer.reset()
    explorer.run()
    assert "cannot be cut into slabs" in str(explorer.error)
