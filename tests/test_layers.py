"""Features and points of the problems with thin layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sketchlab as sl
from sketchlab.equations.layers import Gathered, Near, Spreading, Wall


def at(feature, places, time=0.5):
    return np.array([feature(jnp.array([place, time])) for place in places])


def test_a_feature_is_steep_where_its_layer_is_and_has_the_period_2():
    near, wall = Near(0.0, 0.05), Wall(0.02)
    for feature, steep, flat in ((near, 0.05, 1.0), (wall, 0.5, 0.0)):
        slope = sl.partial(feature, 0)
        assert abs(slope(jnp.array([steep, 0.5]))) > 5 > 1e-3 > abs(slope(jnp.array([flat, 0.5])))
        np.testing.assert_allclose(at(feature, (0.3, -0.7)), at(feature, (2.3, 1.3)), atol=1e-12)
        np.testing.assert_allclose(at(feature, (0.3, 0.01)), at(feature, (-0.3, -0.01)), atol=1e-12)
    np.testing.assert_allclose(at(near, (0.0, 1.0)), [-1.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(at(wall, (0.0, 0.5, 1.0)), [1.0, 0.0, -1.0], atol=1e-12)


def test_a_kink_spreads_as_heat_does():
    kink = Spreading(1e-4, 0.5)
    # A kink in the beginning: its slope jumps at 1.
    before, after = (sl.partial(kink, 0)(jnp.array([x, 0.0])) for x in (0.999, 1.001))
    assert before == pytest.approx(-3, abs=1e-2) and after == pytest.approx(3, abs=1e-2)
    x = jnp.asarray(sl.Box([0.95, 0.05], [1.05, 1.0]).sample(100, seed=0))
    rates = jax.vmap(sl.partial(kink, 1))(x)
    spread = 0.5 * 1e-4 * jax.vmap(sl.laplacian(kink, axes=[0]))(x)
    # Up to the curvature of the cosine.
    np.testing.assert_allclose(rates, spread, atol=5e-4)
    assert np.abs(rates).max() > 1e-2


def test_points_gather_near_places_and_stay_in_the_cube():
    sampler = Gathered((0.0, 0.25, 0.75, 1.0), 0.05, 0.7)
    x = sampler(4000, 2, 3)
    assert x.shape == (4000, 2) and x.min() >= 0 and x.max() <= 1
    distances = np.abs(x[:, :1] - np.array(sampler.places)).min(axis=1)
    # Of even points 6 % would be as near: two places inside and two ends.
    assert 0.12 < np.mean(distances < 0.01) < 0.7
    np.testing.assert_array_equal(x[:, 1], sl.SAMPLERS["sobol"](4000, 2, 3)[:, 1])
    np.testing.assert_allclose(Gathered((0.5,), 0.05, 0.0)(64, 2, 3), sl.SAMPLERS["sobol"](64, 2, 3), atol=1e-15)


def test_a_run_by_such_a_recipe_goes_on_from_its_file(tmp_path):
    problem, path = sl.PROBLEMS["allen_cahn"](), tmp_path / "run.npz"
    small = {"points": [40, 2, 10], "slabs": 2, "progress": False}
    network = problem.network(width=4, depth=1)
    whole = sl.solve(problem, network, steps=6, **small)
    with pytest.raises(RuntimeError):
        sl.solve(problem, network, steps=6, checkpoint=path, callbacks=[_fail_in_the_second_slab], **small)
    run = sl.resume(path, progress=False)
    np.testing.assert_array_equal(run.theta, whole.theta)
    assert run.settings["sampler"] == "recipe" and sl.load(path).network == whole.network


def _fail_in_the_second_slab(trainer, record):
    if trainer.setup.seed == 1 and record.step == 3:
        raise RuntimeError
