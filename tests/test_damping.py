import jax.numpy as jnp
import numpy as np
import pytest
from oracles import damped_step, matrix_with

import sketchlab as sl
from sketchlab.damping import damped_steps, grid_search

MATRIX = matrix_with(np.logspace(0, -3, 12), 20, 15)[0]
RESIDUAL = jnp.asarray(np.random.default_rng(5).standard_normal(20))
SPECTRUM = sl.full_spectrum(sl.from_matrix(MATRIX))
LOSS = jnp.sum(RESIDUAL**2) / 2
STILL = jnp.zeros(15)


def linear_loss(step):
    return jnp.sum((RESIDUAL + MATRIX @ step) ** 2) / 2


def test_steps_solve_the_damped_normal_equations():
    dampings = jnp.array([1e-4, 1e-2, 1.0, 100.0])
    steps, _ = damped_steps(SPECTRUM, RESIDUAL, dampings)
    for damping, step in zip(dampings, steps, strict=True):
        expected = damped_step(MATRIX, RESIDUAL, float(damping))
        np.testing.assert_allclose(step, expected, rtol=1e-8, atol=1e-10 * np.linalg.norm(expected))


def test_prediction_is_what_the_linear_model_leaves():
    steps, predicted = damped_steps(SPECTRUM, RESIDUAL, jnp.array([1e-8, 1e-4, 1e-2, 1.0, 100.0]))
    np.testing.assert_allclose(predicted, [linear_loss(step) for step in steps], rtol=1e-10)


def test_path_takes_the_smallest_damping_when_the_model_is_exact():
    move = sl.damping_path(decades=2, candidates=5)(linear_loss, LOSS, SPECTRUM, RESIDUAL, STILL, jnp.asarray(0.1))
    assert move.accepted
    assert move.damping == pytest.approx(1e-3)
    np.testing.assert_allclose(move.step, damped_step(MATRIX, RESIDUAL, 1e-3 * float(SPECTRUM.eigenvalues[0])), rtol=1e-8)
    assert move.loss == pytest.approx(float(linear_loss(move.step)), rel=1e-12)


def test_path_takes_the_smallest_passing_damping_not_the_smallest_loss():
    lengths = jnp.linalg.norm(damped_steps(SPECTRUM, RESIDUAL, jnp.logspace(-3, 1, 5))[0], axis=1)
    reach = (lengths[1] + lengths[2]) / 2

    def cliff(step):
        # The model holds up to a certain length; a step beyond it is worthless.
        return jnp.where(jnp.linalg.norm(step) < reach, linear_loss(step), 2 * LOSS)

    # Every passing step loses the bonus of the longest damping, so the smallest loss lies elsewhere than the choice.
    def with_bonus(step):
        return cliff(step) - jnp.where(jnp.linalg.norm(step) < 1.01 * lengths[4], LOSS, 0)

    for loss_at in (cliff, with_bonus):
        move = sl.damping_path(decades=2, candidates=5)(loss_at, LOSS, SPECTRUM, RESIDUAL, STILL, jnp.asarray(0.1))
        assert move.accepted
        assert move.damping == pytest.approx(0.1)


def test_drift_is_part_of_the_step():
    drift = jnp.asarray(np.random.default_rng(1).standard_normal(15)) / 10
    move = sl.damping_path(candidates=1)(linear_loss, LOSS, SPECTRUM, RESIDUAL + MATRIX @ drift, drift, jnp.asarray(0.1))
    expected = drift + damped_step(MATRIX, RESIDUAL + MATRIX @ drift, 0.1 * float(SPECTRUM.eigenvalues[0]))
    np.testing.assert_allclose(move.step, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf, 1e9])
def test_path_rejects_and_grows_the_damping_when_nothing_helps(value):
    move = sl.damping_path(growth=30)(lambda step: 0 * step[0] + value, LOSS, SPECTRUM, RESIDUAL, STILL, jnp.asarray(0.1))
    assert not move.accepted
    assert jnp.all(move.step == 0)
    assert move.loss == LOSS
    assert move.damping == pytest.approx(3.0)


def test_path_passes_over_candidates_that_are_no_numbers():
    longest = jnp.linalg.norm(damped_steps(SPECTRUM, RESIDUAL, jnp.array([1e-3]))[0][0])
    move = sl.damping_path(decades=2, candidates=5)(
        lambda step: jnp.where(jnp.linalg.norm(step) < 0.99 * longest, linear_loss(step), jnp.nan),
        LOSS, SPECTRUM, RESIDUAL, STILL, jnp.asarray(0.1),
    )  # fmt: skip
    assert move.accepted
    assert move.damping == pytest.approx(1e-2)


def test_grid_takes_the_power_of_two_with_the_smallest_loss():
    move = grid_search(lambda d: jnp.sum((d - 0.25) ** 2), jnp.asarray(0.0625), jnp.ones(1))
    assert move.accepted
    assert move.step == 0.25 and move.loss == 0 and move.damping == 0


def test_grid_contains_zero_so_an_ascent_direction_moves_nothing():
    gradient = MATRIX.T @ RESIDUAL
    move = grid_search(linear_loss, LOSS, gradient)
    assert not move.accepted
    assert jnp.all(move.step == 0) and move.loss == LOSS


def test_step_grid_moves_along_the_least_squares_solution():
    move = sl.step_grid()(linear_loss, LOSS, SPECTRUM, RESIDUAL, STILL, jnp.asarray(0.1))
    expected = -np.linalg.lstsq(np.asarray(MATRIX), np.asarray(RESIDUAL), rcond=1e-6)[0]
    np.testing.assert_allclose(move.step, expected, rtol=1e-7, atol=1e-9 * np.linalg.norm(expected))


def test_step_grid_cuts_directions_lost_in_rounding():
    matrix, left, right = matrix_with([1.0, 0.5, 1e-12], 6, 5)
    spectrum = sl.full_spectrum(sl.from_matrix(matrix))
    residual = jnp.asarray(left.sum(axis=1))
    move = sl.step_grid()(
        lambda d: jnp.sum((residual + matrix @ d) ** 2) / 2, jnp.sum(residual**2) / 2, spectrum, residual, jnp.zeros(5), 0.1
    )
    np.testing.assert_allclose(right.T @ move.step, [-1, -2, 0], atol=1e-6)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"ratio": 0.0}, r"ratio = 0.0 is not a number in \(0, 1\)"),
        ({"ratio": 1.5}, r"ratio = 1.5 is not a number in \(0, 1\)"),
        ({"ratio": float("nan")}, "ratio = nan"),
        ({"candidates": 0}, "candidates = 0 is not a whole number of at least 1"),
        ({"candidates": 2.5}, "candidates = 2.5"),
        ({"decades": 0}, r"decades = 0 is not a number in \(0, inf\)"),
        ({"decades": -1.0}, "decades = -1.0"),
        ({"growth": 1.0}, r"growth = 1.0 is not a number in \(1, inf\)"),
    ],
)
def test_bad_path_options_are_named(options, text):
    with pytest.raises(sl.InputError, match=text):
        sl.damping_path(**options)


def test_bad_grid_option_is_named():
    with pytest.raises(sl.InputError, match="halvings = -1 is not a whole number of at least 0"):
        sl.step_grid(halvings=-1)
