"""Calls that do not fit: what is said names the call, the value and the way out."""

import pytest

import sketchlab as sl

POISSON, NETWORK = sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 4, 1)
OPTIONS = {"points": 12, "steps": 2, "progress": False}


@pytest.fixture(scope="module")
def run():
    return sl.train(POISSON, NETWORK, sl.adam(), **OPTIONS)


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
        (lambda: sl.plot_solution(None, output=1), "plot_solution has no option 'output'. It takes run, ax."),
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
    ],
)  # fmt: skip
def test_an_object_of_another_kind_is_told_with_where_the_right_one_comes_from(run, call, text):
    with pytest.raises(sl.InputError) as caught:
        call(run)
    assert text in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_checked_function_is_the_same_for_pickle_and_help():
    import pickle

    assert pickle.loads(pickle.dumps(sl.train)) is sl.train
    assert sl.OPTIMIZERS["adam"] is sl.adam and sl.adam.__doc__.startswith("Adam")
