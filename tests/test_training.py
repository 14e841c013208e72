import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import broken, unsolved

import sketchlab as sl
from sketchlab.memory import block_for

NETWORK = sl.MLP(dim=1, width=6, depth=1)
ADAM = sl.adam(learning_rate=1e-2)


def train(problem=None, optimizer=ADAM, **options):
    return sl.train(
        problem or sl.PROBLEMS["poisson_1d"](), NETWORK, optimizer, **{"steps": 4, "points": 20, "progress": False} | options
    )


@pytest.fixture(scope="module")
def run():
    return train(optimizer=sl.sketched_natural_gradient(rank=8), steps=5)


def test_history_has_one_entry_a_step(run):
    assert len(run.history) == 5
    for name, values in vars(run.history).items():
        assert len(values) == 5, name
    assert run.history.eigenvalues.shape == (5, 8)
    assert np.all(run.history.rank == 8) and np.all(run.history.sketch_error > 0)
    assert run.stop_reason == "steps"
    assert run.theta.shape == (NETWORK.size,)
    assert run.settings["optimizer"] == "sngd" and run.settings["rows"] == 20


def test_first_order_histories_have_no_eigenvalues():
    history = train().history
    assert history.eigenvalues.shape == (4, 0)
    assert np.all(history.rank == 0) and np.all(history.sketch_error == 0)


def test_a_smaller_sketch_leaves_nan_in_the_history_of_eigenvalues():
    history = train(optimizer=sl.sketched_natural_gradient(rank="auto", max_rank=16), steps=30).history
    assert set(history.rank) == {8, 16}
    np.testing.assert_array_equal(np.isnan(history.eigenvalues).sum(axis=1), 16 - history.rank)


@pytest.mark.parametrize("block", [1, 7])
def test_a_run_in_blocks_of_rows_is_the_same_run(run, block):
    blocked = train(optimizer=sl.sketched_natural_gradient(rank=8), steps=2, block=block)
    assert blocked.settings["block"] == block
    np.testing.assert_allclose(blocked.history.loss, run.history.loss[:2], rtol=1e-6)


def test_memory_decides_whether_rows_come_in_blocks(monkeypatch):
    row = 8 * NETWORK.size
    for memory, block in ((8 * 200 * row, None), (8 * 5 * row, 5), (1, 1)):
        assert block_for(200, NETWORK.size, 8, memory) == block
    monkeypatch.setattr("sketchlab.training.memory_at_hand", lambda: 8 * 2 * row)
    assert sl.Trainer(sl.PROBLEMS["poisson_1d"](), NETWORK, ADAM, points=20).least_squares.block == 2


def points_over_time(resampling, problem="heat_1d", steps=5, **options):
    problem = sl.PROBLEMS[problem]()
    trainer = sl.Trainer(problem, sl.MLP(problem.dim, 6, 1), ADAM, points=40, resampling=resampling, **options)
    seen = [trainer.points]
    for _ in range(steps):
        trainer.step()
        seen.append(trainer.points)
    assert trainer.settings["compilations"] == 1
    return seen


@pytest.mark.parametrize("name", sl.RESAMPLINGS)
def test_points_are_drawn_anew_every_so_many_steps(name):
    seen = points_over_time(sl.RESAMPLINGS[name](2))
    same = [all(np.array_equal(a, b) for a, b in zip(*pair, strict=True)) for pair in itertools.pairwise(seen)]
    # The first two steps share the points drawn at the start, then every second step begins with new ones.
    assert same == [True, True, False, True, False]
    assert [[x.shape for x in points] for points in seen] == [[x.shape for x in seen[0]]] * 6
    again = points_over_time(sl.RESAMPLINGS[name](2))
    np.testing.assert_array_equal(again[-1][0], seen[-1][0])


def test_points_stay_when_nothing_is_asked():
    seen = points_over_time(None)
    assert all(points is seen[0] for points in seen)


@pytest.mark.parametrize("name", sl.RESAMPLINGS)
def test_a_face_that_is_one_point_keeps_it(name):
    seen = points_over_time(sl.RESAMPLINGS[name](1), problem="poisson_1d", steps=2)
    np.testing.assert_array_equal(np.sort(seen[-1][1].ravel()), [0, 1])


def test_boundary_weight_replaces_that_of_every_condition_on_a_face():
    assert train(problem=sl.PROBLEMS["poisson_1d"](), boundary_weight=3.0).settings["weights"] == [1.0, 3.0]
    assert train().settings["weights"] == [1.0, 10.0]


def test_balance_gives_conditions_on_faces_the_trace_of_those_inside():
    problem = sl.PROBLEMS["heat_1d"]()
    trainer = sl.Trainer(problem, sl.MLP(2, 6, 1), ADAM, points=60, boundary_weight="balance")
    traces = trainer.least_squares.traces(trainer.theta, trainer.points)
    np.testing.assert_allclose(traces, traces[0], rtol=1e-10)
    assert trainer.settings["weights"][0] == 1.0


def test_seconds_increase_from_above_zero(run):
    assert run.history.seconds[0] > 0
    assert np.all(np.diff(run.history.seconds) > 0)


def test_one_seed_gives_one_result(run):
    again, other = (train(optimizer=sl.sketched_natural_gradient(rank=8), steps=5, seed=seed) for seed in (0, 1))
    assert np.array_equal(run.theta, again.theta)
    assert np.array_equal(run.history.loss, again.history.loss)
    assert not np.array_equal(run.theta, other.theta)


def test_seconds_stop_after_the_step_that_passes_them():
    run = train(seconds=1e-9)
    assert (run.stop_reason, len(run.history)) == ("seconds", 1)


def test_tolerance_stops_at_the_error_or_without_one_at_the_loss():
    assert train(tolerance=1e9).stop_reason == "tolerance"
    assert train(tolerance=1e-300).stop_reason == "steps"
    without = train(unsolved(), tolerance=1e9)
    assert (without.stop_reason, len(without.history)) == ("tolerance", 1)


def test_a_callback_stops_with_true_and_the_others_still_see_the_step():
    seen = []
    run = train(callbacks=[lambda trainer, record: record.step == 2, lambda trainer, record: seen.append(record.step)])
    assert (run.stop_reason, seen) == ("callback", [1, 2])


def test_an_interrupt_returns_what_was_reached():
    def press_ctrl_c(trainer, record):
        if record.step == 3:
            raise KeyboardInterrupt

    run = train(callbacks=[press_ctrl_c])
    assert (run.stop_reason, len(run.history)) == ("interrupted", 3)


@pytest.mark.parametrize("optimizer", [ADAM, sl.sketched_natural_gradient(rank=4)], ids=["adam", "sngd"])
def test_a_loss_that_is_no_number_stops_after_five_steps(optimizer):
    start = np.linspace(-1, 1, NETWORK.size)
    run = train(broken(), optimizer, steps=50, theta=start)
    assert (run.stop_reason, len(run.history)) == ("non-finite", 5)
    assert not np.any(run.history.finite) and not np.any(run.history.accepted)
    assert np.array_equal(run.theta, start)


def test_a_trainer_steps_by_hand_to_the_same_result(run):
    trainer = sl.Trainer(run.problem, NETWORK, sl.sketched_natural_gradient(rank=8), points=20)
    records = [trainer.step() for _ in range(5)]
    assert [record.step for record in records] == [1, 2, 3, 4, 5]
    assert np.array_equal(trainer.theta, run.theta)
    assert trainer.spectrum().rank == min(20, NETWORK.size)


def test_relative_error_is_the_distance_to_the_solution(run):
    x = np.linspace(0, 1, 2001)[:, None]
    exact = np.sin(np.pi * x[:, 0])
    error = np.linalg.norm(run.solution(x) - exact) / np.linalg.norm(exact)
    assert run.history.relative_error[-1] == pytest.approx(error, rel=0.02)


def assert_same_run(first, second):
    assert np.array_equal(first.theta, second.theta)
    assert (first.network, first.stop_reason, first.settings) == (second.network, second.stop_reason, second.settings)
    for name, values in vars(first.history).items():
        other = getattr(second.history, name)
        assert (values is None and other is None) or (np.array_equal(values, other) and values.dtype == other.dtype), name


def test_a_saved_run_comes_back_whole_and_without_pickle(run, tmp_path):
    path = tmp_path / "run.npz"
    sl.save(run, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]
    with np.load(path, allow_pickle=False) as file:
        assert {"theta", "json", "loss", "relative_error"} <= {*file}
    loaded = sl.load(path)
    assert_same_run(run, loaded)
    assert loaded.problem.name == "poisson_1d"
    x = np.array([[0.2], [0.7]])
    assert np.array_equal(run.solution(x), loaded.solution(x))


def test_a_run_without_a_solution_trains_saves_and_loads(tmp_path):
    run = train(unsolved())
    assert run.history.relative_error is None
    sl.save(run, tmp_path / "run.npz")
    assert_same_run(run, sl.load(tmp_path / "run.npz", unsolved()))
    with pytest.raises(sl.InputError, match="unknown problem 'unsolved'"):
        sl.load(tmp_path / "run.npz")


def test_an_unwritable_path_is_refused_and_leaves_nothing(run, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "missing" / "run.npz", tmp_path / "folder"):
        with pytest.raises(sl.InputError, match="cannot write .*Name a folder that exists"):
            sl.save(run, path)
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


def test_float64_without_64_bit_numbers_is_refused():
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(sl.InputError, match="JAX has 64-bit numbers off: run jax.config.update"):
            train()
    finally:
        jax.config.update("jax_enable_x64", True)


def test_float32_is_kept_through_training():
    run = train(dtype="float32", optimizer=sl.sketched_natural_gradient(rank=4))
    assert run.theta.dtype == np.float32 and run.settings["dtype"] == "float32"
    assert run.history.loss[-1] < run.history.loss[0]


@pytest.mark.parametrize(
    "options, text",
    [
        ({"theta": np.zeros(3)}, r"theta has shape \(3,\), but the network has P = 19 parameters"),
        ({"block": 21}, "block = 21 is not a whole number between 1 and 20"),
        ({"block": 0}, "block = 0"),
        ({"boundary_weight": 0.0}, r"boundary_weight = 0.0 is not a number in \(0, inf\)"),
        ({"boundary_weight": "auto"}, "boundary_weight = 'auto' is not a number"),
        ({"optimizer": sl.sketched_natural_gradient(rank=20)}, r"exceeds min\(N, P\) = 19: .*widen the network"),
        ({"optimizer": sl.sketched_natural_gradient(rank=15), "points": 10}, r"exceeds min\(N, P\) = 10: .*sample more points"),
        ({"dtype": "float16"}, "dtype = 'float16' is not known"),
        ({"steps": 0}, "steps = 0 is not a whole number of at least 1"),
        ({"seconds": -1}, "seconds = -1 is not a number"),
        ({"tolerance": float("nan")}, "tolerance = nan is not a number"),
        ({"seed": -1}, "seed = -1"),
    ],
)
def test_what_does_not_fit_is_named(options, text):
    with pytest.raises(sl.InputError, match=text):
        train(**options)


def test_solution_has_a_value_a_point_and_refuses_other_shapes(run):
    assert run.solution(np.zeros((7, 1))).shape == (7,)
    for shape in ((7,), (7, 2)):
        with pytest.raises(sl.InputError, match=r"do not fit: 'poisson_1d' takes \(n, 1\)"):
            run.solution(np.zeros(shape))


def test_spectrum_is_full_by_default_and_sketched_by_rank():
    problem, theta = sl.PROBLEMS["poisson_1d"](), jnp.linspace(-1, 1, NETWORK.size)
    full, sketched = (sl.spectrum(problem, NETWORK, theta, rank=rank, points=40) for rank in (None, 5))
    assert (full.rank, sketched.rank) == (19, 5)
    np.testing.assert_allclose(sketched.eigenvalues, full.eigenvalues[:5], rtol=1e-4)
    with pytest.raises(sl.InputError, match=r"exceeds min\(N, P\) = 19"):
        sl.spectrum(problem, NETWORK, theta, rank=14, points=40)


def test_a_restarted_trainer_repeats_a_new_one_and_compiles_nothing(problem, network):
    trainer = sl.Trainer(problem, network, sl.sketched_natural_gradient(rank=10), points=60, seed=0)
    trainer.step()
    compiled = trainer.compile_seconds
    trainer.restart(5)
    restarted = [trainer.step().loss for _ in range(3)]
    fresh = sl.Trainer(problem, network, sl.sketched_natural_gradient(rank=10), points=60, seed=5)
    assert restarted == [fresh.step().loss for _ in range(3)]
    assert trainer.compile_seconds == compiled and trainer.settings["seed"] == 5 and len(trainer.records) == 3


def test_switching_keeps_parameters_and_what_states_have_in_common(problem, network):
    first, second = sl.sketched_natural_gradient(rank=10), sl.sketched_natural_gradient(rank=5)
    trainer = sl.Trainer(problem, network, first, points=60)
    trainer.step()
    theta, state = trainer.theta, trainer.state
    trainer.switch(second)
    assert trainer.theta is theta and trainer.state.memory.shape[1] == 5
    assert np.array_equal(trainer.state.last_step, state.last_step) and trainer.state.damping == state.damping
    assert len(trainer.step().eigenvalues) == 5
    compilations = trainer.settings["compilations"]
    trainer.switch(first)
    assert len(trainer.step().eigenvalues) == 10 and trainer.settings["compilations"] == compilations == 2
    trainer.switch(sl.adam())
    assert trainer.step().eigenvalues.size == 0 and len(trainer.records) == 4
    with pytest.raises(sl.InputError, match="rank"):
        trainer.switch(sl.sketched_natural_gradient(rank=10_000))


def test_step_bytes_grow_with_the_network(problem):
    small, large = (sl.Trainer(problem, sl.MLP(2, width, 2), sl.natural_gradient(), points=60) for width in (4, 16))
    assert 0 < small.step_bytes < large.step_bytes
