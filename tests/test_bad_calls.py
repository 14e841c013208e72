"""Calls that do not fit: what is said names the call, the value and the way out."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import sketchlab as sl
from sketchlab.weights import weighed

POISSON, NETWORK = sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 6, 1)


@pytest.fixture(scope="module")
def run():
    return sl.load(Path(__file__).parent / "data" / "run-0.1.0-poisson_1d.npz")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        # Options that a function knows itself, and those that it hands on.
        (lambda: sl.train(POISSON, NETWORK, ponits=9), "train has no option 'ponits'. Did you mean 'points'? It takes problem, "),
        (lambda: sl.train(POISSON, NETWORK, stesp=9), "train has no option 'stesp'. Did you mean 'steps'?"),
        (lambda: sl.train(POISSON, NETWORK, boundary_wieght=1), "Did you mean 'boundary_weight'?"),
        (lambda: sl.train_seeds(POISSON, NETWORK, seed=1), "train_seeds has no option 'seed'. Did you mean 'seeds'?"),
        (lambda: sl.resume("run.npz", points=3), "resume has no option 'points'. "),
        (lambda: sl.Trainer(POISSON, NETWORK, sl.adam(), steps=3), "Trainer has no option 'steps'. "),
        (lambda: sl.Setup(POISSON, NETWORK, point=3), "Setup has no option 'point'. Did you mean 'points'?"),
        (lambda: sl.spectrum(POISSON, NETWORK, ranks=3), "spectrum has no option 'ranks'. Did you mean 'rank'?"),
        (lambda: sl.survey(POISSON, NETWORK, largest_rnk=3), "survey has no option 'largest_rnk'. Did you mean 'largest_rank'?"),
        (lambda: sl.adam(lr=0.1), "adam has no option 'lr'. It takes learning_rate."),
        (lambda: sl.sketched(9, oversampling=1), "sketched has no option 'oversampling'. It takes rank, test_matrix, "),
        (lambda: sl.damping_path(ration=0.5), "damping_path has no option 'ration'. Did you mean 'ratio'?"),
        (lambda: sl.redraw(every=3), "redraw has no option 'every'. It takes period."),
        (lambda: sl.MLP(1, widht=3), "MLP has no option 'widht'. Did you mean 'width'?"),
        (lambda: sl.PROBLEMS["transport_1d"](c=3), "transport_1d has no option 'c'. It takes speed."),
        (lambda: sl.plot_solution(None, colour=1), "plot_solution has no option 'colour'. It takes run, output, at, ax."),
        # Arguments that are too many or too few.
        (lambda: sl.adam(0.1), "adam: too many positional arguments. Write adam(learning_rate=…)."),
        (lambda: sl.train(POISSON), "train: missing a required argument: 'network'. Write train(problem, network, optimizer, "),
        (lambda: sl.Box(0, 1).sample("interior", 9), "too many positional arguments. Write Box.sample(n, seed=…, sampler=…)."),
    ],
)  # fmt: skip
def test_a_call_that_does_not_fit_is_told_with_the_one_that_does(call, text):
    with pytest.raises(sl.InputError) as caught:
        call()
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda run: sl.spectrum(run), "'network'. Write spectrum(run.problem, run.network, run.theta, rank=…, "),
        (lambda run: sl.train(run), "Write train(run.problem, run.network, run.optimizer, "),
        (lambda run: sl.spectrum(run, NETWORK), "is no Problem: give its problem, as run.problem."),
        (lambda run: sl.plot_spectrum(run), "is no Spectrum: give what sl.spectrum returns."),
        (lambda run: sl.plot_spectrum({"a": run}), "is no Spectrum: give what sl.spectrum returns."),
        (lambda run: sl.plot_shares(run), "is no Spectrum: give what sl.spectrum returns."),
        (lambda run: sl.plot_eigenfunctions(POISSON, NETWORK, run.theta, run), "is no Spectrum: give what sl.spectrum returns."),
        (lambda run: sl.plot_near_optimality(run), "is no NearOptimality: give what sl.near_optimality returns."),
        (lambda run: sl.plot_decay_bound(run, run), "is no DecayBound: give what sl.decay_bound returns."),
        (lambda run: sl.plot_convergence([run, None]), "run = None is no Run: give what sl.train returns."),
        (lambda run: sl.plot_convergence({"a": 3}), "run = 3 is no Run: give what sl.train returns."),
        (lambda run: sl.plot_convergence(3), "run = 3 is no Run: give what sl.train returns."),
        (lambda run: sl.plot_solution([run]), "is no Run: give what sl.train returns."),
        (lambda run: sl.plot_error("run.npz"), "run = 'run.npz' is no Run: give what sl.train returns."),
        (lambda run: sl.plot_spectrum_history(3), "run = 3 is no Run: give what sl.train returns."),
        (lambda run: sl.plot_solution(run, ax=3), "ax = 3 is no Axes: give axes of Matplotlib, as plt.subplots()[1]."),
        (lambda run: run.solution([["a"]]), "x = [['a']] is not an array of real numbers."),
        (lambda run: sl.save(None, "run.npz"), "run = None is no Run: give what sl.train returns."),
        (lambda run: sl.save(run, b"run.npz"), "b'run.npz' is no name of a file: write it as text, as 'run.npz'."),
        (lambda run: sl.save(run, ""), "'' is no name of a file"),
        (lambda run: sl.load(3), "3 is no name of a file"),
        # Numbers, lists and arrays that make no sense together.
        (lambda run: sl.train_seeds(POISSON, NETWORK, seeds=3), "seeds = 3 is no list, or is empty: write seeds=range(10)"),
        (lambda run: sl.train(POISSON, NETWORK, callbacks=None), "callbacks = None is no list of functions"),
        (lambda run: weighed(np.ones(2), sl.LeastSquares(POISSON, NETWORK), None, ()), "boundary_weight = array([1., 1.]) is"),
        (lambda run: sl.Setup(POISSON.reweighted([1.0, 1e-39]), NETWORK, dtype="float32"), "weight = 1e-39 of the boundary"),
        (lambda run: sl.train(POISSON, NETWORK, mesh=3), "mesh = 3 is no Mesh: give one, as jax.make_mesh"),
        (lambda run: sl.Setup(POISSON, NETWORK).check_points(None), "points of shapes None do not fit: 2 arrays (n, 1)"),
        (lambda run: sl.Setup(POISSON, NETWORK).check_points([np.ones((3, 1))]), "points of shapes [(3, 1)] do not fit: 2"),
        (lambda run: sl.halko_bounds([1.0, 2.0, 3.0], 2, 4, 0), "are not a list that descends to 0"),
        (lambda run: sl.near_optimality(None, 3, key=None, power_iterations=1), "name at least one in a list of each"),
        (lambda run: sl.rayleigh_ritz(sl.from_matrix(np.eye(9)), np.eye(9), -1), "rank = -1 is not a whole number of at least 1"),
        (lambda run: sl.full_spectrum(sl.from_matrix(np.eye(2))).effective_dimension(-1.0), "damping = -1.0 is not zero or more"),
        (lambda run: sl.laplacian(lambda x: x[0])(np.ones(1), np.ones(1)), "laplacian takes one point, an array (d,), not (arr"),
        (lambda run: sl.plot_memory([1, 2], {"a": [1]}), "taken['a'] has the shape (1,), parameters (2,): one for each"),
        (lambda run: sl.step_grid(halvings=2**70), "is not a whole number between 0 and 1000"),
        # Networks, and code of a user in them.
        (lambda run: NETWORK.init(key=5), "key = 5 is no random key"),
        (lambda run: NETWORK.apply(run.theta, np.ones((5, 1))), "x has the shape (5, 1), not (1,): for many points use jax.vmap"),
        (lambda run: sl.Fourier(sl.MLP(2, 4, 1), [["a"]]), "frequencies = [['a']] is not an array of real numbers"),
        (lambda run: sl.Periodic(sl.MLP(2, 4, 1), 3), "periods = 3 is no list with a period, or None, for each axis"),
        (lambda run: sl.Hard(NETWORK, None, None), "lift = None, distance = None: give functions of one point"),
        (lambda run: sl.Hard(NETWORK, lambda x: np.sin(x[0]), lambda x: x[0]), "write jnp.sin in place of np.sin"),
        (lambda run: sl.from_pytree(lambda key: {"a": jnp.ones(1)}, lambda p, x: p["b"], dim=1), "KeyError: 'b'"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_told_with_one_that_does(run, call, text):
    with pytest.raises(sl.InputError) as caught:
        call(run)
    assert text in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_checked_function_is_the_same_for_pickle_and_help():
    import pickle

    assert pickle.loads(pickle.dumps(sl.train)) is sl.train
    assert sl.OPTIMIZERS["adam"] is sl.adam and sl.adam.__doc__.startswith("Adam")


def test_weights_cannot_balance_against_an_equation_that_no_parameter_changes():
    flat = sl.Problem("flat", sl.Box(0, 1), [sl.interior(lambda u, x: 0.0 * u(x)), sl.boundary(lambda u, x: u(x))])
    with pytest.raises(sl.InputError, match=r"have parts of G with the traces \[0\.0, .*give boundary_weight = a number"):
        weighed("balance", sl.LeastSquares(flat, NETWORK), jnp.ones(NETWORK.size), (jnp.ones((1, 1)), jnp.ones((1, 1))))
