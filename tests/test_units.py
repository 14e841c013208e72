import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sketchlab as sl
from sketchlab.domains import unit_sized


def rod(length):
    """The same rod in any unit of length."""

    def exact(x):
        return jnp.sin(jnp.pi * x[0] / length)

    inside = sl.interior(lambda u, x: -sl.laplacian(u)(x) - (jnp.pi / length) ** 2 * exact(x))
    return sl.Problem("rod", sl.Box(0, length), [inside, sl.boundary(lambda u, x: u(x), weight=10.0)], solution=exact)


def heat(length, time):
    """The same heat flow in any units of length and time."""
    diffusivity = 0.25 * length**2 / time

    def exact(x):
        return jnp.exp(-0.25 * jnp.pi**2 * x[1] / time) * jnp.sin(jnp.pi * x[0] / length)

    conditions = [
        sl.interior(lambda u, x: sl.partial(u, 1)(x) - diffusivity * sl.laplacian(u, axes=[0])(x)),
        sl.face(axis=0, side="lower", residual=lambda u, x: u(x), weight=10.0),
        sl.face(axis=0, side="upper", residual=lambda u, x: u(x), weight=10.0),
        sl.face(axis=1, side="lower", residual=lambda u, x: u(x) - exact(x), weight=10.0),
    ]
    return sl.Problem("heat", sl.Box([0.0, 0.0], [length, time]), conditions, solution=exact, axes=("x", "t"))


@pytest.mark.parametrize("length", [1e-6, 0.1, 10.0, 1e5])
def test_a_rod_has_the_same_errors_in_all_units(length):
    problem = rod(length)
    run = sl.train(problem, problem.network(16), sl.natural_gradient(), points=100, steps=60, progress=False)
    assert run.history.relative_error[-1] < 1e-6


@pytest.mark.parametrize(("length", "time"), [(1, 1), (0.2, 10), (1, 100), (100, 1e-3)])
def test_heat_flows_alike_in_all_units(length, time):
    problem = heat(length, time)
    run = sl.train(problem, problem.network(10), sl.natural_gradient(), points=300, steps=40, progress=False)
    assert run.history.relative_error[-1] < 1e-3


def test_weights_are_brought_near_the_balance_only_far_from_unit_size():
    def weights(problem, **options):
        trainer = sl.Trainer(problem, problem.network(4, 1), sl.adam(), points=40, **options)
        traces = np.asarray(trainer.least_squares.traces(trainer.theta, trainer.points))
        return [condition.weight for condition in trainer.problem.conditions], traces[1] / traces[0]

    own, _ = weights(rod(2.0))
    assert own == [1.0, 10.0]
    far, ratio = weights(rod(1e4))
    assert far[0] == 1.0 and ratio == pytest.approx(100.0)
    assert weights(rod(1e4), boundary_weight="own")[0] == [1.0, 10.0]
    assert weights(rod(1e4), boundary_weight=3.0)[0] == [1.0, 3.0]
    assert weights(rod(1e4), boundary_weight="balance")[1] == pytest.approx(1.0)


def test_weights_that_were_chosen_are_kept_when_a_run_goes_on(tmp_path):
    problem = rod(1e4)
    options = {"points": 40, "progress": False}
    whole = sl.train(problem, problem.network(4, 1), sl.natural_gradient(), steps=6, **options)
    half = sl.train(problem, problem.network(4, 1), sl.natural_gradient(), steps=3, **options)
    sl.save(half, tmp_path / "run.npz")
    again = sl.resume(tmp_path / "run.npz", problem, steps=6, progress=False)
    np.testing.assert_array_equal(again.theta, whole.theta)


def test_a_bare_network_far_from_unit_size_is_told_of():
    problem = rod(1000.0)
    with pytest.warns(sl.ScaleWarning, match=r"sees coordinates from \[0.0\] to \[1000.0\].*problem.network\(width=4\)"):
        sl.Setup(problem, sl.MLP(1, 4), points=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sl.Setup(problem, problem.network(4), points=20)
        sl.Setup(rod(1.0), sl.MLP(1, 4), points=20)


def test_unit_size_has_a_length_and_a_place():
    assert unit_sized(sl.Box([-1.0, 0.0], [1.0, 3.0]))
    assert not unit_sized(sl.Box([0.0, 0.0], [1.0, 5.0]))
    assert not unit_sized(sl.Box(100.0, 101.0))
    assert not unit_sized(sl.Box(0.0, 0.1))


def test_scaled_networks_see_the_box_from_minus_1_to_1():
    inner = sl.MLP(2, 4, 1)
    network = sl.Scaled(inner, (0.0, 10.0), (1000.0, 20.0))
    theta = network.init(key=jax.random.key(0))
    for x, seen in (((0.0, 10.0), (-1.0, -1.0)), ((1000.0, 15.0), (1.0, 0.0))):
        assert network.apply(theta, jnp.array(x)) == pytest.approx(float(inner.apply(theta, jnp.array(seen))))
    with pytest.raises(sl.InputError, match="Scaled gives its network 1 features"):
        sl.Scaled(inner, 0.0, 1.0)
