import dataclasses

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from oracles import robin_on_a_disk, unsolved

import sketchlab as sl
from sketchlab import optimality


def untrained(problem, **settings):
    network = sl.MLP(dim=problem.dim, width=4, depth=1)
    n = 3
    column = np.linspace(2.0, 1.0, n)
    history = sl.History(
        column,
        None if problem.solution is None else column / 10,
        column,
        column,
        column > 0,
        column > 0,
        np.arange(1.0, n + 1),
        np.ones((n, 2)),
        np.full(n, 2),
        column,
    )
    return sl.Run(problem, network, np.linspace(-1, 1, network.size), history, "steps", settings)


LINE, PLANE, MORE, UNSOLVED = (
    untrained(problem, optimizer="sngd")
    for problem in (*(sl.PROBLEMS[name]() for name in ("poisson_1d", "poisson_2d", "poisson_5d")), unsolved())
)
SPECTRUM = sl.Spectrum(jnp.array([3.0, 1.0, 0.0]), jnp.eye(3), jnp.eye(3), conditions=(("interior", 2), ("boundary", 1)))
NORMS = optimality.Norms(np.array([2.0, 1.5]), np.array([3.0, 2.5]))
EXPERIMENT = sl.NearOptimality(
    rank=5,
    floor=1e-15,
    optimum=optimality.Norms(1.0, 2.0),
    errors={(sketch, q): NORMS for sketch in ("gaussian", "columns") for q in (0, 1)},
    bounds={q: optimality.Bounds(optimality.Norms(5.0, 6.0), optimality.Norms(7.0, 8.0)) for q in (0, 1)},
)
ONE_LAYER = sl.MLP(1, 4, 1)
BOUND = sl.decay_bound(ONE_LAYER, np.linspace(-1, 1, ONE_LAYER.size), sl.Box([0.0], [1.0]), count=9)

DRAWINGS = {
    "spectrum": lambda ax: sl.plot_spectrum(SPECTRUM, ax=ax),
    "spectrum history": lambda ax: sl.plot_spectrum_history(LINE, ax=ax),
    "shares": lambda ax: sl.plot_shares(SPECTRUM, ax=ax),
    "near-optimality": lambda ax: sl.plot_near_optimality(EXPERIMENT, ax=ax),
    "decay bound": lambda ax: sl.plot_decay_bound(BOUND, SPECTRUM, ax=ax),
    "memory": lambda ax: sl.plot_memory([10, 100], {"full": [10**6, 10**8], "sketch": [10**6, 10**7]}, at_hand=10**9, ax=ax),
    "convergence": lambda ax: sl.plot_convergence(LINE, ax=ax),
    "solution 1d": lambda ax: sl.plot_solution(LINE, ax=ax),
    "solution 2d": lambda ax: sl.plot_solution(PLANE, ax=ax),
    "solution 5d": lambda ax: sl.plot_solution(MORE, ax=ax),
    "solution unsolved": lambda ax: sl.plot_solution(UNSOLVED, ax=ax),
    "error 1d": lambda ax: sl.plot_error(LINE, ax=ax),
    "error 2d": lambda ax: sl.plot_error(PLANE, ax=ax),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_plot_draws_into_the_axes_it_was_given_and_opens_nothing(name):
    figure, ax = plt.subplots()
    assert DRAWINGS[name](ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert ax.get_xlabel() and ax.get_ylabel() and ax.get_title()
    assert ax.lines or ax.collections
    figure.canvas.draw()


def test_without_axes_a_plot_makes_one_figure():
    assert sl.plot_spectrum(SPECTRUM).figure.number == plt.get_fignums()[-1]
    assert len(plt.get_fignums()) == 1


def test_spectrum_marks_rank_and_damping_and_leaves_zeros_out():
    ax = sl.plot_spectrum(SPECTRUM, rank=2, damping=1e-3)
    eigenvalues, floor, squared_floor, rank, damping = ax.lines
    epsilon = np.finfo(float).eps
    assert [line.get_ydata()[0] for line in (floor, squared_floor)] == [9 * epsilon**2, 9 * epsilon]
    assert [text.get_text() for text in ax.texts] == ["rounding of J", "rounding of JᵀJ"]
    np.testing.assert_array_equal(eigenvalues.get_ydata(), [9, 1, np.nan])
    assert list(rank.get_xdata()) == [2, 2]
    assert list(damping.get_ydata()) == [1e-3, 1e-3]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["eigenvalues", "rank 2", "damping 1.0e-03"]


def test_several_spectra_are_told_apart_by_dashes():
    ax = sl.plot_spectrum({"full": SPECTRUM, "sketched": SPECTRUM})
    assert [line.get_label() for line in ax.lines[:2]] == ["full", "sketched"]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()


@pytest.mark.parametrize("against, x", [("steps", [1, 2, 3]), ("seconds", [1.0, 2.0, 3.0])])
def test_convergence_draws_the_error_where_all_know_it_and_else_the_loss(against, x):
    known = sl.plot_convergence([LINE, PLANE], against=against)
    np.testing.assert_array_equal(known.lines[0].get_xdata(), x)
    np.testing.assert_array_equal(known.lines[1].get_ydata(), PLANE.history.relative_error)
    mixed = sl.plot_convergence([LINE, UNSOLVED], against=against)
    np.testing.assert_array_equal(mixed.lines[0].get_ydata(), LINE.history.loss)
    assert "loss" in mixed.get_ylabel() and "error" in known.get_ylabel()


def test_runs_of_one_name_get_numbers():
    assert [line.get_label() for line in sl.plot_convergence([LINE, LINE]).lines] == [
        "poisson_1d, sngd (1)",
        "poisson_1d, sngd (2)",
    ]


def test_solution_draws_the_network_over_the_exact_one():
    network, exact = sl.plot_solution(LINE).lines
    x = network.get_xdata()
    np.testing.assert_allclose(network.get_ydata(), LINE.solution(x[:, None]))
    np.testing.assert_allclose(exact.get_ydata(), np.sin(np.pi * x), atol=1e-12)


def test_error_is_the_distance_between_them():
    line = sl.plot_error(LINE).lines[0]
    x = line.get_xdata()
    np.testing.assert_allclose(line.get_ydata(), np.abs(LINE.solution(x[:, None]) - np.sin(np.pi * x)), atol=1e-12)


def test_errors_need_a_solution():
    with pytest.raises(sl.InputError, match="'unsolved' has no known solution to compare with: draw plot_solution instead"):
        sl.plot_error(UNSOLVED)
    with pytest.raises(sl.InputError, match="'unsolved' has no known solution, hence no error: use quantity='loss'"):
        sl.plot_convergence(UNSOLVED, quantity="relative_error")


def test_unknown_choices_are_named():
    with pytest.raises(sl.InputError, match="against = 'time' is not known"):
        sl.plot_convergence(LINE, against="time")
    with pytest.raises(sl.InputError, match="quantity = 'error' is not known"):
        sl.plot_convergence(LINE, quantity="error")


def test_a_refused_plot_leaves_no_figure_behind():
    for refused in (lambda: sl.plot_error(UNSOLVED), lambda: sl.plot_convergence(UNSOLVED, quantity="relative_error")):
        with pytest.raises(sl.InputError):
            refused()
        assert plt.get_fignums() == []


def test_spectrum_draws_the_floors_of_each_precision():
    single = sl.Spectrum(*(part.astype("float32") for part in (SPECTRUM.singular_values, SPECTRUM.left, SPECTRUM.right)))
    ax = sl.plot_spectrum({"double": SPECTRUM, "single": single})
    assert [text.get_text() for text in ax.texts][2:] == ["rounding of J, float32", "rounding of JᵀJ, float32"]


def test_spectrum_history_shows_the_logarithm_step_by_step():
    run = untrained(sl.PROBLEMS["poisson_1d"]())
    run.history.eigenvalues[:, 1] = [0.1, 0.01, 0.0]
    image = sl.plot_spectrum_history(run).collections[0].get_array()
    np.testing.assert_allclose(np.ma.filled(image, np.nan).reshape(2, 3)[1], [-1, -2, np.nan])
    first_order = dataclasses.replace(run, history=dataclasses.replace(run.history, eigenvalues=np.zeros((3, 0))))
    with pytest.raises(sl.InputError, match="looks at no eigenvalues"):
        sl.plot_spectrum_history(first_order)


def test_shares_need_conditions():
    with pytest.raises(sl.InputError, match="made from a matrix and knows no conditions"):
        sl.plot_shares(sl.full_spectrum(sl.from_matrix(jnp.eye(3))))


def test_near_optimality_draws_every_sketch_the_optimum_and_both_bounds():
    ax = sl.plot_near_optimality(EXPERIMENT, norm="frobenius")
    points = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert len(points) == 4
    np.testing.assert_array_equal(points[0].get_ydata(), [3.0, 2.5])
    assert len({line.get_marker() for line in points}) == 2
    heights = {segment[0][1] for lines in ax.collections for segment in lines.get_segments()}
    assert heights == {6.0, 8.0}
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:2] == ["gaussian", "columns"] and "best of rank 5" in labels
    with pytest.raises(sl.InputError, match="norm = 'nuclear'"):
        sl.plot_near_optimality(EXPERIMENT, norm="nuclear")


def test_decay_bound_draws_measurement_and_both_bounds():
    ax = sl.plot_decay_bound(BOUND, SPECTRUM)
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_array_equal(drawn["bound by the largest |w|"], BOUND.plain)
    np.testing.assert_array_equal(drawn["sharpened: steep neurons set aside"], BOUND.eigenvalues)


@pytest.mark.parametrize("name", ["poisson_1d", "poisson_2d"])
def test_eigenfunctions_are_drawn_one_an_axes_and_scaled_alike_both_ways(name):
    problem = sl.PROBLEMS[name]()
    network = sl.MLP(problem.dim, 4, 1)
    theta = np.linspace(-1, 1, network.size)
    spectrum = sl.spectrum(problem, network, theta, points=40)
    axes = sl.plot_eigenfunctions(problem, network, theta, spectrum, indices=(1, 4))
    assert len(axes) == 2 and len(plt.get_fignums()) == 1
    assert "i = 4" in axes[1].get_title()
    given = plt.subplots(1, 2)[1]
    assert sl.plot_eigenfunctions(problem, network, theta, spectrum, indices=(1, 4), axes=given) == list(given)
    if problem.dim == 2:
        low, high = axes[0].collections[0].get_clim()
        assert low == -high < 0
    with pytest.raises(sl.InputError, match="index = 99"):
        sl.plot_eigenfunctions(problem, network, theta, spectrum, indices=(99,))


def test_pictures_leave_gaps_outside_of_a_domain_that_is_no_box():
    run = untrained(robin_on_a_disk())
    axes = [sl.plot_solution(run), sl.plot_error(run)]
    axes += sl.plot_eigenfunctions(
        run.problem, run.network, run.theta, sl.spectrum(run.problem, run.network, points=30), indices=[1, 2]
    )
    for ax in axes:
        drawn = ax.collections[0].get_array()
        # The disk fills π/4 of the square around it.
        assert 1 - np.ma.getmaskarray(drawn).mean() == pytest.approx(np.pi / 4, abs=0.03)
        assert np.all(np.isfinite(ax.collections[0].get_clim()))
        ax.figure.canvas.draw()


def system():
    """Two functions of three coordinates."""

    def exact(x):
        return jnp.stack([x[0] + 2 * x[2], jnp.sin(x[1])])

    box = sl.Box([0.0, 0.0, 0.0], [1.0, 1.0, 2.0])
    return sl.Problem("pair", box, [sl.interior(lambda u, x: u(x) - exact(x))], solution=exact, outputs=2, axes=("x", "y", "t"))


PAIR = sl.train(system(), sl.MLP(3, 3, 1, 2), sl.natural_gradient(), points=30, steps=3, progress=False)


def test_any_function_is_drawn_at_any_time():
    ax = sl.plot_solution(PAIR, output=1, at={"t": 1.5, "y": 0.25})
    network, exact = ax.get_lines()
    x = np.column_stack([network.get_xdata(), np.full(len(network.get_xdata()), 0.25), np.full(len(network.get_xdata()), 1.5)])
    np.testing.assert_allclose(network.get_ydata(), PAIR.solution(x)[:, 1])
    np.testing.assert_allclose(exact.get_ydata(), np.sin(0.25), rtol=1e-12)
    assert ax.get_title() == "Solution u₂, t = 1.5, y = 0.25" and ax.get_ylabel() == "u₂" and ax.get_xlabel() == "x"
    ax = sl.plot_error(PAIR, output=0, at={"x": 1.0})
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("y", "t", "Error |u₁ − u₁*|, x = 1")
    plt.close("all")


def test_a_system_converges_function_by_function():
    curves = sl.plot_convergence(PAIR).get_lines()
    np.testing.assert_array_equal([curve.get_ydata() for curve in curves[1:]], PAIR.history.output_errors.T)
    assert [curve.get_label() for curve in curves[1:]] == ["u₁", "u₂"]
    plt.close("all")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"output": 2}, r"output = 2 is not a whole number between 0 and 1"),
        ({"at": {"z": 1.0}}, r"at = {'z': 1.0} names no axis of 'pair': its axes are x, y, t"),
        ({"at": {"t": 2.5}}, r"at\['t'\] = 2.5 is not a number in"),
        ({"at": 1.5}, r"at = 1.5"),
        ({"at": {"x": 0.5, "y": 0.5, "t": 0.5}}, "fixes all axes of 'pair': leave one out"),
    ],
)
def test_what_cannot_be_drawn_of_a_system_is_told(options, text):
    for plot in (sl.plot_solution, sl.plot_error):
        with pytest.raises(sl.InputError, match=text):
            plot(PAIR, **options)
    plt.close("all")
