"""Files of runs: what comes back, what is refused, and that a run split anywhere equals the unsplit one."""

import json
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import unsolved

import sketchlab as sl

DATA = Path(__file__).parent / "data"
NETWORK = sl.MLP(dim=1, width=6, depth=1)


def train(problem=None, optimizer=None, network=NETWORK, **options):
    optimizer = sl.sketched_natural_gradient(rank=8) if optimizer is None else optimizer
    return sl.train(
        problem or sl.PROBLEMS["poisson_1d"](), network, optimizer, **{"steps": 4, "points": 20, "progress": False} | options
    )


@pytest.fixture(scope="module")
def run():
    return train()


def assert_same_run(first, second):
    assert np.array_equal(first.theta, second.theta) and first.theta.dtype == second.theta.dtype
    assert (first.network, first.stop_reason, first.settings) == (second.network, second.stop_reason, second.settings)
    assert first.optimizer == second.optimizer
    for one, other in ((first.state, second.state), (first.points, second.points)):
        assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True))
    for name, values in vars(first.history).items():
        other = getattr(second.history, name)
        assert (values is None) == (other is None), name
        if values is not None:
            np.testing.assert_array_equal(values, other, strict=True, err_msg=name)


def test_a_saved_run_comes_back_whole_and_without_pickle(run, tmp_path):
    path = tmp_path / "run.npz"
    sl.save(run, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]
    with np.load(path, allow_pickle=False) as file:
        assert {"theta", "json", "loss", "relative_error"} <= {*file}
        assert {"sketchlab", "jax"} <= json.loads(str(file["json"]))["versions"].keys()
    loaded = sl.load(path)
    assert_same_run(run, loaded)
    x = np.array([[0.2], [0.7]])
    assert np.array_equal(run.solution(x), loaded.solution(x))


def test_a_problem_comes_back_with_its_arguments_and_weights(tmp_path):
    problem = sl.PROBLEMS["transport_1d"](speed=3.0)
    run = train(problem, network=sl.MLP(2, 6, 1), boundary_weight=1000.0)
    sl.save(run, tmp_path / "run.npz")
    loaded = sl.load(tmp_path / "run.npz")
    assert loaded.problem.equation == problem.equation and "c = 3" in problem.equation
    assert [condition.weight for condition in loaded.problem.conditions] == [1.0, 1000.0, 1000.0]
    assert float(sl.spectrum(loaded.problem, loaded.network, loaded.theta, points=40).eigenvalues[0]) == pytest.approx(
        float(sl.spectrum(run.problem, run.network, run.theta, points=40).eigenvalues[0])
    )


def rod(k=1.0, name="rod"):
    return sl.Problem(
        name, sl.Box([0.0], [1.0]), [sl.interior(lambda u, x: -k * sl.laplacian(u)(x) - 1.0), sl.boundary(lambda u, x: u(x))]
    )


def test_a_problem_of_ones_own_is_asked_for_and_another_one_refused(tmp_path):
    path = tmp_path / "run.npz"
    sl.save(train(rod(), boundary_weight=7.0), path)
    with pytest.raises(sl.InputError, match=r"a problem of your own, 'rod': give it, load\(file, problem\)"):
        sl.load(path)
    assert [condition.weight for condition in sl.load(path, rod()).problem.conditions] == [1.0, 7.0]
    with pytest.raises(sl.InputError, match="another 'rod': its residuals or its network compute something else"):
        sl.load(path, rod(k=2.0))
    for other in (rod(name="bar"), sl.PROBLEMS["poisson_5d"](), sl.PROBLEMS["poisson_1d"]()):
        with pytest.raises(sl.InputError, match=f"the run is of 'rod', not of {other.name!r} as given"):
            sl.load(path, other)


def test_a_problem_of_ones_own_with_a_name_of_the_catalogue_is_not_mistaken(tmp_path):
    sl.save(train(rod(name="poisson_1d")), tmp_path / "run.npz")
    with pytest.raises(sl.InputError, match="a problem of your own, 'poisson_1d'"):
        sl.load(tmp_path / "run.npz")
    sl.save(train(), tmp_path / "run.npz")
    with pytest.raises(sl.InputError, match="the run is of 'poisson_1d', made with {}, not of"):
        sl.load(tmp_path / "run.npz", sl.PROBLEMS["transport_1d"]())


def profile(x):
    return jnp.sin(jnp.pi * x[0])


def nothing(x):
    return 0.0 * x[0]


def distance(x):
    return x[0] * (1 - x[0])


NETWORKS = {
    "periodic": lambda: sl.Periodic(sl.MLP(2, 6, 1), periods=(2.0,)),
    "fourier": lambda: sl.Fourier(sl.MLP(4, 6, 1), frequencies=((0.5,), (1.0,))),
    "constants": lambda: sl.WithConstants(sl.MLP(1, 6, 1), k=0.5),
    "nested": lambda: sl.WithConstants(sl.Periodic(sl.MLP(2, 6, 1), periods=(2.0,)), k=0.5, c=1),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks_come_back(kind, tmp_path):
    network = NETWORKS[kind]()
    sl.save(train(network=network), tmp_path / "run.npz")
    assert sl.load(tmp_path / "run.npz").network == network
    assert hash(sl.load(tmp_path / "run.npz").network) == hash(network)


class Doubled(sl.MLP):
    """A network of one's own: a subclass."""

    def evaluate(self, layers, x):
        return 2 * super().evaluate(layers, x)


def test_a_network_of_ones_own_is_asked_for(tmp_path):
    path = tmp_path / "run.npz"
    for network in (Doubled(1, 6, 1), sl.Hard(NETWORK, nothing, distance)):
        sl.save(train(network=network), path)
        with pytest.raises(sl.InputError, match="a network of your own.*network="):
            sl.load(path)
        assert sl.load(path, network=network).network is network
        with pytest.raises(sl.InputError, match="its network compute something else"):
            sl.load(path, network=NETWORK)
        with pytest.raises(sl.InputError, match="the network has 25 parameters, the run 19"):
            sl.load(path, network=sl.MLP(1, 8, 1))


@pytest.mark.parametrize(
    "options",
    [
        {"seed": np.arange(3)[1]},
        {"network": sl.MLP(1, np.array([8, 16])[0], 1)},
        {"optimizer": sl.sketched_natural_gradient(np.linspace(5, 10, 2).astype(int)[0], momentum=np.float32(0.5))},
        {"optimizer": sl.adam(learning_rate=np.logspace(-3, -2, 2)[0])},
        {"points": np.int64(20)},
        {"points": np.array([18, 2])},
        {"block": np.int64(10)},
        {"resampling": sl.redraw(np.int64(2))},
        {"boundary_weight": np.float32(10)},
        {"problem": replace(sl.PROBLEMS["poisson_1d"](), name="mine").reweighted(np.array([1, 2]))},
    ],
    ids=lambda options: next(iter(options)),
)
def test_numbers_of_numpy_are_numbers(options, tmp_path):
    run = train(**options)
    sl.save(run, tmp_path / "run.npz")
    problem = options.get("problem")
    assert np.array_equal(sl.load(tmp_path / "run.npz", problem).theta, run.theta)


def test_a_run_without_a_solution_trains_saves_and_loads(tmp_path):
    run = train(unsolved())
    assert run.history.relative_error is None
    sl.save(run, tmp_path / "run.npz")
    assert_same_run(run, sl.load(tmp_path / "run.npz", unsolved()))


def test_an_unwritable_path_is_refused_and_leaves_nothing(run, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "missing" / "run.npz", tmp_path / "folder"):
        with pytest.raises(sl.InputError, match="cannot write .*Name a folder that exists"):
            sl.save(run, path)
        with pytest.raises(sl.InputError, match="cannot write .*name a file in a folder that exists"):
            train(checkpoint=path)
    assert [entry.name for entry in tmp_path.rglob("*")] == ["folder"]


def garbage(kind, path, run):
    if kind == "text":
        path.write_bytes(b"not a run")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        sl.save(run, path)
        path.write_bytes(path.read_bytes()[:200])
    elif kind == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "other npz":
        np.savez(path, theta=np.zeros(3))
    elif kind == "other json":
        np.savez(path, theta=np.zeros(3), json=np.array("{}"))


@pytest.mark.parametrize("kind", ["missing", "text", "empty", "truncated", "array", "other npz", "other json"])
def test_a_file_that_is_no_run_is_refused(kind, run, tmp_path):
    garbage(kind, tmp_path / "run.npz", run)
    with pytest.raises(sl.InputError, match="cannot read .* as a run"):
        sl.load(tmp_path / "run.npz")


def test_files_of_the_first_version_still_load():
    run = sl.load(DATA / "run-0.1.0-poisson_1d.npz")
    assert (run.problem.name, run.network, len(run.history)) == ("poisson_1d", sl.MLP(1, 6, 1), 4)
    assert [condition.weight for condition in run.problem.conditions] == [1.0, 3.0]
    x = sl.PROBLEMS["poisson_1d"]().domain.sample(4096, seed=2**31, sampler=sl.SAMPLERS["sobol"])
    exact = np.sin(np.pi * x[:, 0])
    error = np.linalg.norm(run.solution(x) - exact) / np.linalg.norm(exact)
    assert error == pytest.approx(run.history.relative_error[-1], rel=1e-9)
    # It does not say with which speed the transport problem was made.
    with pytest.raises(sl.InputError, match="does not say with which arguments 'transport_1d' was made"):
        sl.load(DATA / "run-0.1.0-transport_1d.npz")
    assert "c = 3" in sl.load(DATA / "run-0.1.0-transport_1d.npz", sl.PROBLEMS["transport_1d"](3.0)).problem.equation
    with pytest.raises(sl.InputError, match="a problem of your own, 'mine'"):
        sl.load(DATA / "run-0.1.0-mine.npz")
    assert sl.load(DATA / "run-0.1.0-mine.npz", rod(name="mine")).network.activation == "sin"
    with pytest.raises(sl.InputError, match="does not say how to go on"):
        sl.resume(DATA / "run-0.1.0-poisson_1d.npz")


def test_a_run_of_64_bit_numbers_is_refused_where_they_are_off(run, tmp_path):
    sl.save(run, tmp_path / "run.npz")
    jax.config.update("jax_enable_x64", False)
    try:
        for use in (lambda: sl.load(tmp_path / "run.npz"), lambda: run.solution([[0.5]])):
            with pytest.raises(sl.InputError, match="JAX has 64-bit numbers off: run jax.config.update"):
                use()
    finally:
        jax.config.update("jax_enable_x64", True)


OPTIMIZERS = {name: make for name, make in sl.OPTIMIZERS.items() if name != "sngd"} | {
    "sngd": lambda: sl.sketched_natural_gradient(8),
    "paper": lambda: sl.sketched_natural_gradient(8, preset="paper"),
    "auto": lambda: sl.sketched_natural_gradient("auto", max_rank=16),
}


@pytest.mark.parametrize("resampling", [None, sl.redraw(3), sl.residual_adaptive(2)], ids=["fixed", "redraw", "rad"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_split_anywhere_equals_the_unsplit_one(name, resampling, tmp_path):
    options = {"resampling": resampling, "seed": 3}
    whole = train(optimizer=OPTIMIZERS[name](), steps=12, **options)
    for split in (1, 7):
        train(optimizer=OPTIMIZERS[name](), steps=split, checkpoint=tmp_path / "run.npz", **options)
        rest = sl.resume(tmp_path / "run.npz", steps=12, progress=False)
        assert np.array_equal(rest.theta, whole.theta)
        for column in ("loss", "relative_error", "damping", "eigenvalues", "rank", "accepted", "sketch_error"):
            assert np.array_equal(getattr(rest.history, column), getattr(whole.history, column), equal_nan=True), column
        assert all(np.array_equal(a, b) for a, b in zip(rest.points, whole.points, strict=True))
    assert_same_run(sl.load(tmp_path / "run.npz"), rest)


def test_balanced_weights_and_blocks_go_on_as_they_were(tmp_path):
    options = {"boundary_weight": "balance", "block": 7}
    whole = train(steps=6, **options)
    train(steps=2, checkpoint=tmp_path / "run.npz", **options)
    rest = sl.resume(tmp_path / "run.npz", steps=6, progress=False)
    assert np.array_equal(rest.theta, whole.theta) and rest.settings["weights"] == whole.settings["weights"]


def test_what_is_ones_own_is_handed_over_to_go_on(tmp_path):
    path = tmp_path / "run.npz"

    def corners(n, dim, seed):
        return np.linspace(0.01, 0.99, n)[:, None]

    own = sl.natural_gradient(sl.from_range_finder(lambda J, test_matrix: jnp.linalg.qr(J.T @ (J @ test_matrix))[0], 8))
    whole = train(rod(), own, Doubled(1, 6, 1), sampler=corners)
    train(rod(), own, Doubled(1, 6, 1), sampler=corners, steps=2, checkpoint=path)
    with pytest.raises(sl.InputError, match="does not say how to go on|optimizer of your own"):
        sl.resume(path, rod(), Doubled(1, 6, 1), progress=False)
    with pytest.raises(sl.InputError, match="a sampler of your own.*sampler="):
        sl.resume(path, rod(), Doubled(1, 6, 1), own, steps=4, progress=False)
    rest = sl.resume(path, rod(), Doubled(1, 6, 1), own, steps=4, sampler=corners, progress=False)
    assert np.array_equal(rest.theta, whole.theta)


def test_a_run_that_has_taken_its_steps_asks_for_more(tmp_path):
    train(checkpoint=tmp_path / "run.npz")
    with pytest.raises(sl.InputError, match="the run has taken its 4 steps: ask for more in all, as steps=8"):
        sl.resume(tmp_path / "run.npz")


def test_a_checkpoint_is_written_every_so_many_steps_and_leaves_no_other_file(tmp_path):
    path, seen = tmp_path / "run.npz", []

    def look(trainer, record):
        seen.append(len(sl.load(path).history) if path.exists() else 0)

    train(steps=5, checkpoint=path, every=2, callbacks=[look])
    assert seen == [0, 0, 2, 2, 4]
    assert len(sl.load(path).history) == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


def test_an_exception_in_a_callback_loses_no_step(tmp_path):
    def fail(trainer, record):
        if record.step == 3:
            raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="out of paper") as caught:
        train(callbacks=[fail], checkpoint=tmp_path / "run.npz")
    assert len(caught.value.run.history) == 3 and "attribute run" in caught.value.__notes__[0]
    kept = sl.load(tmp_path / "run.npz")
    assert (len(kept.history), kept.stop_reason) == (3, "error")
    rest = sl.resume(tmp_path / "run.npz", progress=False)
    assert np.array_equal(rest.theta, train().theta)


def test_an_interrupted_run_goes_on(tmp_path):
    def press_ctrl_c(trainer, record):
        if record.step == 2:
            raise KeyboardInterrupt

    assert train(callbacks=[press_ctrl_c], checkpoint=tmp_path / "run.npz").stop_reason == "interrupted"
    rest = sl.resume(tmp_path / "run.npz", progress=False)
    assert rest.stop_reason == "steps" and np.array_equal(rest.theta, train().theta)


def test_a_run_can_be_pickled(run):
    again = pickle.loads(pickle.dumps(run))
    assert_same_run(run, again)
    assert np.array_equal(again.solution([[0.3]]), run.solution([[0.3]]))
    with pytest.raises(pickle.PicklingError, match="'rod' cannot be pickled.*module"):
        pickle.dumps(rod())


def one(seed):
    jax.config.update("jax_enable_x64", True)
    return train(seed=seed, steps=2)


def test_runs_come_back_from_a_pool_of_processes():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        back = pool.submit(one, 5).result(timeout=120)
    assert np.array_equal(back.theta, one(5).theta)


def test_a_home_folder_is_written_as_a_tilde(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    sl.save(run, "~/run.npz")
    assert (tmp_path / "run.npz").exists() and len(sl.load("~/run.npz").history) == 4
    shutil.rmtree(tmp_path)
