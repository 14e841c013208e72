import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from oracles import unsolved

import sketchlab as sl


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
SPECTRUM = sl.Spectrum(jnp.array([3.0, 1.0, 0.0]), jnp.eye(3), jnp.eye(3))

DRAWINGS = {
    "spectrum": lambda ax: sl.plot_spectrum(SPECTRUM, ax=ax),
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
    eigenvalues, rank, damping = ax.lines
    np.testing.assert_array_equal(eigenvalues.get_ydata(), [9, 1, np.nan])
    assert list(rank.get_xdata()) == [2, 2]
    assert list(damping.get_ydata()) == [1e-3, 1e-3]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["eigenvalues", "rank 2", "damping 1.0e-03"]


def test_several_spectra_are_told_apart_by_dashes():
    ax = sl.plot_spectrum({"full": SPECTRUM, "sketched": SPECTRUM})
    assert [line.get_label() for line in ax.lines] == ["full", "sketched"]
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
