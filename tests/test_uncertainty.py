"""Standard errors of constants: against closed forms, against many draws of the noise, and the warnings."""

import re
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sketchlab as sl

#: Uneven noise, so that its mean is not 0 and its square not n.
NOISE = np.random.default_rng(5).normal(size=40)
X = np.linspace(0.02, 0.98, 40)[:, None]


def run_at(problem, network, theta, points=30):
    """Return a run that ended at theta, with the points of a seed."""
    trainer = sl.Trainer(problem, network, sl.adam(), points=points, theta=theta)
    return trainer.run("steps")


def line(parameters, x):
    return parameters[0] + parameters[1] * x[0]


#: u(x) = a + b x, with theta = (a, b).
LINE = sl.from_pytree(lambda key: jnp.zeros(2), line, dim=1)


def fitted(problem, network, points=30):
    """Minimize a linear problem exactly, and return the run."""
    trainer = sl.Trainer(problem, network, sl.adam(), points=points)
    matrix = np.asarray(trainer.least_squares.jacobian(trainer.theta, trainer.points))
    step = np.linalg.lstsq(matrix, np.asarray(trainer.least_squares.residual(trainer.theta, trainer.points)))[0]
    trainer.theta = np.asarray(trainer.theta) - step
    return trainer.run("steps")


def seen(sigma=0.1, weight=1.0, noise=NOISE):
    return sl.data(X, 1.0 + 2.0 * X[:, 0] + sigma * noise, sigma=sigma, weight=weight)


@pytest.mark.parametrize("weight", [1.0, 7.0])
@pytest.mark.parametrize("sigma", [0.1, 0.1 + X[:, 0]])
def test_a_straight_line_has_the_errors_of_linear_regression(sigma, weight):
    """The constant b is the slope: u' = b is an equation that the network satisfies exactly."""
    slope = sl.interior(lambda u, x: sl.partial(u, 0)(x) - u.slope, weight=1e8)
    problem = sl.Problem("line", sl.Box(0, 1), [slope, seen(sigma, weight)])
    run = fitted(problem, sl.WithConstants(LINE, slope=0.0))
    found = sl.standard_errors(run)
    matrix = np.stack([np.ones(40), X[:, 0]], 1) / np.broadcast_to(sigma, 40)[:, None]
    inverse = np.linalg.inv(matrix.T @ matrix)
    estimate = inverse @ matrix.T @ (np.asarray(problem.regions[1].values[:, 0]) / sigma)
    assert run.constants["slope"] == pytest.approx(estimate[1], rel=1e-6)
    assert found.errors["slope"] == pytest.approx(inverse[1, 1] ** 0.5, rel=1e-6)
    assert found.freedom == pytest.approx(38, rel=1e-6)
    misfit = problem.regions[1].values[:, 0] / sigma - matrix @ estimate
    assert found.deviation == pytest.approx(np.sqrt(misfit @ misfit / 38), rel=1e-6)
    low, high = found.intervals["slope"]
    assert (low + high) / 2 == pytest.approx(estimate[1]) and high - low == pytest.approx(3.92 * found.errors["slope"])


def test_it_is_the_inverse_gramian_without_the_network_where_the_equation_binds():
    """Rows of the equation as constraints: the block of the inverse that is left when the network is eliminated."""
    heavy = sl.interior(lambda u, x: sl.partial(u, 0)(x) - u.slope, weight=1e10)
    end = sl.face(axis=0, side="lower", residual=lambda u, x: u(x) - u.start, weight=1e10)
    data = seen()
    # A weight of Σ 1/σ² gives the rows of data unit factors.
    data = replace(data, weight=40 / data.region.measure)
    run = fitted(sl.Problem("line", sl.Box(0, 1), [heavy, data, end]), sl.WithConstants(LINE, slope=0.0, start=0.0))
    found = sl.standard_errors(run)
    matrix = np.stack([X[:, 0], np.ones(40)], 1) / 0.1
    np.testing.assert_allclose(found.covariance, np.linalg.inv(matrix.T @ matrix), rtol=1e-6)
    assert list(found.errors) == ["slope", "start"]


def test_a_soft_equation_is_a_sandwich():
    """A network of its own slope and a constant that the equation ties to it with finite weight: by normal equations."""
    soft = sl.interior(lambda u, x: sl.partial(u, 0)(x) - u.slope, weight=0.3)
    start = sl.face(axis=0, side="lower", residual=lambda u, x: u(x) - 0.5 * u.slope, weight=0.2)
    run = fitted(sl.Problem("line", sl.Box(0, 1), [soft, seen(), start]), sl.WithConstants(LINE, slope=0.0), points=[1, 40, 1])
    factor = np.sqrt(0.01 / 40)
    rows = np.stack([np.ones(40), X[:, 0], np.zeros(40)], 1) * factor / 0.1
    matrix = np.concatenate([np.sqrt(0.3) * np.array([[0, 1.0, -1]]), rows, np.sqrt(0.2) * np.array([[1, 0, -0.5]])])
    spread = np.linalg.inv(matrix.T @ matrix) @ rows.T * factor
    found = sl.standard_errors(run)
    assert found.errors["slope"] == pytest.approx(np.sqrt((spread @ spread.T)[2, 2]), rel=1e-8)
    hat = np.eye(40) - rows @ np.linalg.inv(matrix.T @ matrix) @ rows.T
    assert found.freedom == pytest.approx(np.sum(hat**2), rel=1e-8)


def test_single_precision_sees_fewer_directions_but_what_is_determined_too():
    slope = sl.interior(lambda u, x: sl.partial(u, 0)(x) - u.slope)
    problem = sl.Problem("line", sl.Box(0, 1), [slope, seen()])
    network = sl.WithConstants(sl.MLP(1, 12, 1), slope=1.0)
    double = sl.train(problem, network, sl.natural_gradient(), points=60, steps=60, progress=False)
    single = replace(double, theta=double.theta.astype("float32"))
    found, expected = sl.standard_errors(single), sl.standard_errors(double)
    assert found.errors["slope"] == pytest.approx(expected.errors["slope"], rel=0.4)


def test_two_data_of_other_weights_keep_their_own_factors():
    slope = sl.interior(lambda u, x: sl.partial(u, 0)(x) - u.slope, weight=1e8)
    conditions = [slope, seen(0.1), seen(0.5, weight=3.0, noise=NOISE[::-1])]
    found = sl.standard_errors(fitted(sl.Problem("line", sl.Box(0, 1), conditions), sl.WithConstants(LINE, slope=0.0)))
    rows = np.stack([np.ones(40), X[:, 0]], 1)
    # Plain least squares of both, the second with weight 3: not the best, but with a known variance.
    gramian = 4 * rows.T @ rows
    middle = (0.1**2 + 9 * 0.5**2) * rows.T @ rows
    covariance = np.linalg.inv(gramian) @ middle @ np.linalg.inv(gramian)
    assert found.errors["slope"] == pytest.approx(covariance[1, 1] ** 0.5, rel=1e-6)


def test_a_positive_constant_has_the_same_error_and_an_interval_of_its_logarithm():
    slope = sl.interior(lambda u, x: sl.partial(u, 0)(x) - u.slope, weight=1e8)
    problem = sl.Problem("line", sl.Box(0, 1), [slope, seen()])
    plain = fitted(problem, sl.WithConstants(LINE, slope=0.0))
    value = plain.constants["slope"]
    network = sl.WithConstants(LINE, positive=["slope"], slope=1.0)
    theta = np.append(plain.theta[:2], np.log(value))
    found, expected = sl.standard_errors(run_at(problem, network, theta)), sl.standard_errors(plain)
    assert found.errors["slope"] == pytest.approx(expected.errors["slope"], rel=1e-9)
    low, high = found.intervals["slope"]
    assert low * high == pytest.approx(value**2) and high / low == pytest.approx(np.exp(3.92 * found.errors["slope"] / value))


def test_errors_are_how_estimates_scatter_over_draws_of_the_noise():
    """A nonlinear network, u′ = -k u: 40 draws, with one compilation, each from the solution without noise."""
    decay = sl.interior(lambda u, x: sl.partial(u, 0)(x) + u.rate * u(x))
    truth, sigma, generator = np.exp(-2 * X[:, 0]), 0.02, np.random.default_rng(0)
    network = sl.WithConstants(sl.MLP(1, 6, 1), positive=["rate"], rate=1.0)
    problem = sl.Problem("decay", sl.Box(0, 1), [decay, sl.data(X, truth, sigma=sigma)])
    first = sl.train(problem, network, sl.natural_gradient(), points=40, steps=60, progress=False)
    trainer = sl.Trainer(problem, network, sl.natural_gradient(), points=40, theta=first.theta)
    held, estimates, errors = 0, [], []
    for _ in range(40):
        trainer.restart(0)
        noisy = sl.data(X, truth + sigma * generator.normal(size=40), sigma=sigma).region.rows
        trainer.points = (trainer.points[0], noisy)
        for _ in range(20):
            trainer.step()
        run = trainer.run("steps")
        found = sl.standard_errors(run)
        low, high = found.intervals["rate"]
        held += low < 2 < high
        estimates.append(run.constants["rate"])
        errors.append(found.errors["rate"])
    # 1.96 standard errors hold 38 of 40 in the mean; fewer than 33 in one of 200 cases. The scatter of 40 is known to 11 %.
    assert held >= 33
    assert np.std(estimates, ddof=1) == pytest.approx(np.mean(errors), rel=0.35)


@pytest.mark.parametrize(
    "given, words",
    [(0.03, "deviate by 2.7 sigma, and not by 1: .* too small"), (0.5, "by 0.16 sigma, .* too large")],
)
def test_a_wrong_sigma_is_said_and_estimated(given, words):
    data = sl.data(X, 1.0 + 2.0 * X[:, 0] + 0.1 * NOISE, sigma=given)
    slope = sl.interior(lambda u, x: sl.partial(u, 0)(x) - u.slope, weight=1e8)
    run = fitted(sl.Problem("line", sl.Box(0, 1), [slope, data]), sl.WithConstants(LINE, slope=0.0))
    with pytest.warns(sl.UncertaintyWarning, match=words):
        found = sl.standard_errors(run)
    matrix = np.stack([np.ones(40), X[:, 0]], 1)
    left = np.linalg.lstsq(matrix, 0.1 * NOISE)[1][0]
    assert found.deviation * given == pytest.approx(np.sqrt(left / 38), rel=1e-6)


def test_a_constant_that_nothing_determines_has_an_infinite_error():
    slope = sl.interior(lambda u, x: sl.partial(u, 0)(x) - u.slope - u.other, weight=1e4)
    network = sl.WithConstants(LINE, positive=["idle"], slope=0.0, other=0.0, idle=1.0)
    run = fitted(sl.Problem("line", sl.Box(0, 1), [slope, seen()]), network)
    with pytest.warns(sl.UncertaintyWarning) as caught:
        found = sl.standard_errors(run)
    assert [str(one.message).split()[0] for one in caught] == ["slope", "other", "idle"]
    assert list(found.errors.values()) == [np.inf] * 3
    assert found.intervals == {"slope": (-np.inf, np.inf), "other": (-np.inf, np.inf), "idle": (0.0, np.inf)}


def test_training_that_has_not_converged_is_said():
    slope = sl.interior(lambda u, x: sl.partial(u, 0)(x) - u.slope, weight=1e8)
    problem = sl.Problem("line", sl.Box(0, 1), [slope, seen()])
    theta = fitted(problem, sl.WithConstants(LINE, slope=0.0)).theta
    moved = run_at(problem, sl.WithConstants(LINE, slope=0.0), theta + np.array([0.0, 0.2, 0.2]))
    with pytest.warns(sl.UncertaintyWarning, match="has not converged: the next step may change slope by 0.2"):
        sl.standard_errors(moved)


def test_data_without_freedom_say_nothing_of_sigma():
    slope = sl.interior(lambda u, x: sl.partial(u, 0)(x) - u.slope, weight=1e8)
    data = sl.data(X[:2], [1.0, 2.0], sigma=0.1)
    run = fitted(sl.Problem("line", sl.Box(0, 1), [slope, data]), sl.WithConstants(LINE, slope=0.0))
    with pytest.warns(sl.UncertaintyWarning, match="the network can follow the noise: -?0.0 of 2 measured values are left"):
        found = sl.standard_errors(run)
    assert np.isnan(found.deviation) and abs(found.freedom) < 1e-6


def test_runs_without_constants_data_or_points_are_refused(monkeypatch):
    slope = sl.interior(lambda u, x: sl.partial(u, 0)(x), weight=1e8)
    problem, network = sl.Problem("line", sl.Box(0, 1), [slope, seen()]), sl.WithConstants(LINE, c=1.0)
    for run, words in (
        (run_at(problem, LINE, np.zeros(2)), "the network of the run has no constants"),
        (run_at(replace(problem, conditions=[slope]), network, np.zeros(3)), "'line' has no measured data"),
        (replace(run_at(problem, network, np.zeros(3)), points=None), "does not say at which points it was trained"),
        (problem, "run = Problem.* is no Run"),
    ):
        with pytest.raises(sl.InputError, match=words):
            sl.standard_errors(run)
    monkeypatch.setattr("sketchlab.memory.memory_at_hand", lambda: 1000)
    with pytest.raises(sl.InputError, match=r"singular value decomposition of J, 70 × 3, takes about .* take fewer points"):
        sl.standard_errors(run_at(problem, network, np.zeros(3)))


def test_an_equation_that_is_solved_badly_is_said():
    """u' = slope is asked of a network that cannot have it, u = a + b x²: what is left of it moves the constant."""
    bowl = sl.from_pytree(lambda key: jnp.zeros(2), lambda p, x: p[0] + p[1] * x[0] ** 2, dim=1)
    slope = sl.interior(lambda u, x: sl.partial(u, 0)(x) - u.slope, weight=1e-8)
    data = sl.data(X, 1.0 + 2.0 * X[:, 0] ** 2 + 1e-3 * NOISE, sigma=1e-3)
    run = fitted(sl.Problem("bowl", sl.Box(0, 1), [slope, data]), sl.WithConstants(bowl, slope=0.0))
    with pytest.warns(sl.UncertaintyWarning, match="equation is not solved well enough: its residuals may have moved slope by"):
        sl.standard_errors(run)


def test_the_page_on_inverse_problems_runs():
    page = (Path(__file__).parent.parent / "docs" / "inverse.md").read_text(encoding="utf-8")
    names = {}
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec("\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)), names)
    low, high = names["found"].intervals["diffusivity"]
    assert low < 0.25 < high < low + 0.02
