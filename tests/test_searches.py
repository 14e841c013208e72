from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import damped_step, matrix_with

import sketchlab as sl
from sketchlab.searches import grid_search, probe

MATRIX = matrix_with(np.logspace(0, -3, 12), 20, 15)[0]
RESIDUAL = jnp.asarray(np.random.default_rng(5).standard_normal(20))
SPECTRUM = sl.full_spectrum(sl.from_matrix(MATRIX))
LOSS = jnp.sum(RESIDUAL**2) / 2
STILL = jnp.zeros(15)


class Probes(NamedTuple):
    steps: jax.Array
    losses: jax.Array
    predicted: jax.Array


def linear_residual(step):
    return RESIDUAL + MATRIX @ step


def linear_loss(step):
    return jnp.sum(linear_residual(step) ** 2) / 2


def probes(dampings, residual_at=linear_residual, geodesic=False):
    tried = [probe(residual_at, SPECTRUM, RESIDUAL, STILL, jnp.asarray(damping), geodesic=geodesic) for damping in dampings]
    return Probes(*(jnp.stack(values) for values in zip(*tried, strict=True)))


def search_state(residual_at, remaining=RESIDUAL, drift=STILL, damping=0.1, **options):
    options = {"decades": 2, "candidates": 5, "bisections": 0} | options
    return sl.damping_path(**options).step(residual_at, LOSS, SPECTRUM, remaining, drift, jnp.asarray(damping))


def search(*arguments, **options):
    return search_state(*arguments, **options)[0]


def test_steps_solve_the_damped_normal_equations():
    dampings = [1e-4, 1e-2, 1.0, 100.0]
    for damping, step in zip(dampings, probes(dampings).steps, strict=True):
        expected = damped_step(MATRIX, RESIDUAL, damping)
        np.testing.assert_allclose(step, expected, rtol=1e-8, atol=1e-10 * np.linalg.norm(expected))


def test_prediction_is_what_the_linear_model_leaves():
    found = probes([1e-8, 1e-4, 1e-2, 1.0, 100.0])
    np.testing.assert_allclose(found.predicted, [linear_loss(step) for step in found.steps], rtol=1e-10)
    np.testing.assert_allclose(found.losses, found.predicted, rtol=1e-10)


def test_geodesic_acceleration_solves_for_what_the_linear_model_did_not_foresee():
    left, right = SPECTRUM.left[:, 0], SPECTRUM.right[:, 1]

    def curved(step):
        return linear_residual(step) + left * (right @ step) ** 2

    dampings = [1e-4, 1e-2]
    straight, bent = probes(dampings, curved), probes(dampings, curved, geodesic=True)
    for damping, step, corrected in zip(dampings, straight.steps, bent.steps, strict=True):
        bend = damped_step(MATRIX, curved(step) - linear_residual(step), damping)
        np.testing.assert_allclose(corrected, step + bend, rtol=1e-7, atol=1e-9 * np.linalg.norm(step))
    assert np.all(bent.losses < straight.losses)


def test_a_bend_that_does_not_help_is_left_out():
    def kinked(step):
        return linear_residual(step) + 100 * jnp.linalg.norm(step) * jnp.sign(jnp.sin(1e6 * jnp.sum(step)))

    straight, bent = probes([1e-2, 1.0], kinked), probes([1e-2, 1.0], kinked, geodesic=True)
    assert np.all(bent.losses <= straight.losses)
    # Where the model is exact there is nothing to bend.
    np.testing.assert_allclose(probes([1e-2], geodesic=True).steps, probes([1e-2]).steps, rtol=1e-9)


def test_path_takes_the_smallest_damping_when_the_model_is_exact():
    move = search(linear_residual)
    assert move.accepted
    assert move.damping == pytest.approx(1e-3)
    np.testing.assert_allclose(move.step, damped_step(MATRIX, RESIDUAL, 1e-3 * float(SPECTRUM.eigenvalues[0])), rtol=1e-8)
    assert move.loss == pytest.approx(float(linear_loss(move.step)), rel=1e-12)


SCALE = float(SPECTRUM.eigenvalues[0])
LENGTHS = jnp.linalg.norm(probes(SCALE * np.logspace(-3, 1, 5)).steps, axis=1)


def cliff(step, reach):
    # The model holds up to a certain length; a step beyond it is worthless.
    return jnp.where(jnp.linalg.norm(step) < reach, linear_residual(step), 2 * RESIDUAL)


def test_path_takes_the_smallest_passing_damping_not_the_smallest_loss():
    reach = (LENGTHS[1] + LENGTHS[2]) / 2

    # Every passing step loses the bonus of the longest damping, so the smallest loss lies elsewhere than the choice.
    def with_bonus(step):
        return jnp.where(jnp.linalg.norm(step) < 1.01 * LENGTHS[4], 0, cliff(step, reach))

    for residual_at in (lambda step: cliff(step, reach), with_bonus):
        move = search(residual_at)
        assert move.accepted
        assert move.damping == pytest.approx(0.1)


def test_bisection_closes_in_on_the_smallest_passing_damping():
    reach = (LENGTHS[1] + LENGTHS[2]) / 2
    lengths = [float(jnp.linalg.norm(search(lambda step: cliff(step, reach), bisections=n).step)) for n in (0, 1, 3, 12)]
    assert np.all(np.diff(lengths) >= 0)
    assert lengths[0] == pytest.approx(float(LENGTHS[2])) and lengths[-1] == pytest.approx(float(reach), rel=1e-3)


def test_a_ratio_close_to_one_is_cautious():
    def curved(step):
        return linear_residual(step) + 3 * jnp.linalg.norm(step) ** 2

    bold, cautious = (search(curved, ratio=ratio, geodesic=False, bisections=6).damping for ratio in (0.01, 0.9))
    assert bold < cautious


def test_drift_is_part_of_the_step():
    drift = jnp.asarray(np.random.default_rng(1).standard_normal(15)) / 10
    move = search(linear_residual, RESIDUAL + MATRIX @ drift, drift, candidates=1)
    expected = drift + damped_step(MATRIX, RESIDUAL + MATRIX @ drift, 0.1 * float(SPECTRUM.eigenvalues[0]))
    np.testing.assert_allclose(move.step, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf, 1e9])
def test_path_refuses_and_grows_the_damping_when_nothing_helps(value):
    move, state = search_state(lambda step: 0 * RESIDUAL + value, growth=30, bisections=3)
    assert not move.accepted
    assert jnp.all(move.step == 0)
    assert move.loss == LOSS
    assert state == pytest.approx(3.0)
    # What is reported is the damping of a step that was tried, not the next one.
    assert 1e-3 <= move.damping <= 10


def test_a_damping_stays_between_its_limits_and_finds_back():
    epsilon = np.finfo(float).eps
    state = jnp.asarray(0.1)
    for _ in range(40):
        _, state = search_state(lambda step: 0 * RESIDUAL + 1e9, damping=state)
    assert state == pytest.approx(1 / epsilon)
    accepted = []
    for _ in range(12):
        move, state = search_state(linear_residual, damping=state, decades=3, candidates=7)
        accepted.append(bool(move.accepted))
    assert sum(accepted) >= 10 and state < 1e-6
    for _ in range(20):
        move, state = search_state(linear_residual, damping=state, decades=3, candidates=7)
    assert epsilon**2 <= state


def test_a_non_finite_loss_or_jacobian_leaves_the_damping_alone():
    path = sl.damping_path()
    nothing = SPECTRUM.singular_values * jnp.nan
    for loss, spectrum in ((jnp.asarray(jnp.nan), SPECTRUM), (LOSS, replace(SPECTRUM, singular_values=nothing))):
        move, state = path.step(linear_residual, loss, spectrum, RESIDUAL, STILL, jnp.asarray(0.1))
        assert not move.accepted and state == pytest.approx(0.1)


def test_a_search_owns_its_state():
    assert sl.damping_path().init(jnp.float64) == pytest.approx(0.1)
    assert sl.step_grid().init(jnp.float64) == ()
    assert sl.damping_path() == sl.damping_path(ratio=0.25) != sl.damping_path(ratio=0.5)
    assert hash(sl.damping_path()) == hash(sl.damping_path(ratio=0.25))


def test_a_bend_longer_than_its_step_is_left_out():
    left, right = SPECTRUM.left[:, 0], SPECTRUM.right[:, 1]
    straight = probes([1e-4])
    length = float(right @ straight.steps[0])

    # What the model does not foresee is so large that the correction exceeds the step, though it would lower the loss.
    def curved(step):
        return linear_residual(step) + 200 * left * jnp.sign(length) * (right @ step)

    bend = damped_step(MATRIX, curved(straight.steps[0]) - linear_residual(straight.steps[0]), 1e-4)
    assert np.linalg.norm(bend) > float(jnp.linalg.norm(straight.steps[0]))
    lower = jnp.sum(curved(straight.steps[0] + bend) ** 2) < jnp.sum(curved(straight.steps[0]) ** 2)
    assert lower
    np.testing.assert_allclose(probes([1e-4], curved, geodesic=True).steps, straight.steps, rtol=1e-12)


def test_path_passes_over_non_finite_candidates():
    longest = float(LENGTHS[0])
    move = search(lambda step: jnp.where(jnp.linalg.norm(step) < 0.99 * longest, linear_residual(step), jnp.nan))
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
    move = sl.step_grid().step(linear_residual, LOSS, SPECTRUM, RESIDUAL, STILL, ())[0]
    expected = -np.linalg.lstsq(np.asarray(MATRIX), np.asarray(RESIDUAL), rcond=1e-6)[0]
    np.testing.assert_allclose(move.step, expected, rtol=1e-7, atol=1e-9 * np.linalg.norm(expected))


def test_step_grid_cuts_directions_lost_in_rounding():
    matrix, left, right = matrix_with([1.0, 0.5, 1e-12], 6, 5)
    spectrum = sl.full_spectrum(sl.from_matrix(matrix))
    residual = jnp.asarray(left.sum(axis=1))
    move = sl.step_grid().step(lambda d: residual + matrix @ d, jnp.sum(residual**2) / 2, spectrum, residual, jnp.zeros(5), ())[0]
    np.testing.assert_allclose(right.T @ move.step, [-1, -2, 0], atol=1e-6)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"ratio": 0.0}, r"ratio = 0.0 is not a number in \(0, 1\)"),
        ({"ratio": 1.5}, r"ratio = 1.5 is not a number in \(0, 1\)"),
        ({"ratio": float("nan")}, "ratio = nan"),
        ({"candidates": 0}, "candidates = 0 is not a whole number between 1 and 1000"),
        ({"candidates": 2.5}, "candidates = 2.5"),
        ({"bisections": -1}, "bisections = -1 is not a whole number between 0 and 1000"),
        ({"decades": 0}, r"decades = 0 is not a number in \(0, inf\)"),
        ({"decades": -1.0}, "decades = -1.0"),
        ({"geodesic": "no"}, "geodesic = 'no' is neither True nor False"),
        ({"growth": 1.0}, r"growth = 1.0 is not a number in \(1, inf\)"),
    ],
)
def test_bad_path_options_are_named(options, text):
    with pytest.raises(sl.InputError, match=text):
        sl.damping_path(**options)


def test_bad_grid_option_is_named():
    with pytest.raises(sl.InputError, match="halvings = -1 is not a whole number between 0 and 1000"):
        sl.step_grid(halvings=-1)
