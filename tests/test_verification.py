import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sketchlab as sl
from sketchlab.verification import _error, wider

SGD = sl.sketched_natural_gradient(30)


def train(problem="poisson_1d", steps=20, points=80, **options):
    problem = sl.PROBLEMS[problem]() if isinstance(problem, str) else problem
    return sl.train(problem, problem.network(8), SGD, steps=steps, points=points, progress=False, **options)


def true_error(run):
    x = run.problem.domain.sample(2000, seed=5)
    exact = np.asarray(jax.vmap(run.problem.solution)(jnp.asarray(x)))
    return np.linalg.norm(run.solution(x) - exact) / np.linalg.norm(exact)


@pytest.mark.parametrize("steps", [8, 20, 40])
@pytest.mark.parametrize("name", ["poisson_1d", "heat_1d"])
def test_the_estimate_is_near_the_error_that_it_does_not_know(name, steps):
    problem = sl.PROBLEMS[name]()
    run = train(dataclasses.replace(problem, solution=None), steps)
    assert run.history.relative_error is None
    found, error = sl.verify(run), true_error(dataclasses.replace(run, problem=problem))
    assert error / 10 < found.error < 10 * error


def test_what_was_learned_by_heart_is_not_trusted():
    """Convection over a long time: between its points the network forgets the initial value."""
    problem = sl.PROBLEMS["transport_1d"](speed=30.0)
    network = sl.Periodic(sl.MLP(3, 12), periods=(1.0, None))
    run = sl.train(problem, network, sl.sketched_natural_gradient(80), steps=60, points=300, progress=False)
    assert run.history.loss[-1] < 1e-4 and run.history.relative_error[-1] > 0.5
    found = sl.verify(run)
    assert not found.trusted
    assert "do not trust it" in str(found)


def test_a_march_is_verified_by_marches(tmp_path):
    problem = sl.PROBLEMS["transport_1d"](speed=2.0)
    run = sl.march(problem, None, SGD, slabs=2, steps=25, points=200, progress=False)
    sl.save(run, tmp_path / "run.npz")
    found = sl.verify(sl.load(tmp_path / "run.npz"))
    assert true_error(run) / 10 < found.error < 10 * true_error(run)
    assert found.distances == sl.verify(run).distances


def test_half_a_run_proves_nothing():
    run = train(steps=5)

    def interrupt(trainer, record):
        raise KeyboardInterrupt

    with pytest.raises(sl.InputError, match="stopped after 3 steps: nothing is known of the error"):
        sl.verify(run, callbacks=[lambda trainer, record: record.step == 3])
    with pytest.raises(KeyboardInterrupt):
        sl.verify(run, callbacks=[interrupt])


def test_three_distances_tell_the_error_of_one():
    errors = np.array([1.0, 100.0, 5.0])
    between = {(i, j): float(np.hypot(errors[i], errors[j])) for i, j in ((0, 1), (0, 2), (1, 2))}
    # As little as half of the least distance, where a bad companion hides it.
    assert _error(between, (between[0, 1], between[0, 2])) == pytest.approx(between[0, 2] / 2)
    errors = np.array([3.0, 4.0, 5.0])
    between = {(i, j): float(np.hypot(errors[i], errors[j])) for i, j in ((0, 1), (0, 2), (1, 2))}
    assert _error(between, (between[0, 1], between[0, 2])) == pytest.approx(3.0)
    assert _error({(0, 1): 0.3}, (0.3,)) == 0.3


def test_wider_networks():
    assert wider(sl.MLP(2, 8)).width == 10
    assert wider(sl.MLP(2, 1)).width == 2
    assert wider(sl.Periodic(sl.MLP(3, 8), (1.0, None))) == sl.Periodic(sl.MLP(3, 10), (1.0, None))


def test_a_run_that_does_not_say_how_to_repeat_it_is_refused():
    run = train(steps=1)
    with pytest.raises(sl.InputError, match="does not say how it was trained"):
        sl.verify(dataclasses.replace(run, optimizer=None))
    with pytest.raises(sl.InputError, match="run = 3 is no Run"):
        sl.verify(3)
    with pytest.raises(sl.InputError, match="runs = 0"):
        sl.verify(run, runs=0)
