import functools
import itertools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import broken, unsolved

import sketchlab as sl
from sketchlab.memory import block_for
from sketchlab.trainer import compiled_step

NETWORK = sl.MLP(dim=1, width=6, depth=1)
ADAM = sl.adam(learning_rate=1e-2)
RANK = {"sngd": {"rank": 8}}


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
    for memory, block in ((8 * 200 * row, None), (4 * 200 * row, 200), (8 * 5 * row, 5), (1, 1)):
        assert block_for(200, NETWORK.size, 8, memory) == block
    monkeypatch.setattr("sketchlab.trainer.memory_at_hand", lambda: 8 * 2 * row)
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


def test_balance_leaves_alone_what_a_network_satisfies_by_itself():
    problem = sl.PROBLEMS["transport_1d"]()
    network = sl.Periodic(sl.MLP(3, 6, 1), (1.0, None))
    trainer = sl.Trainer(problem, network, ADAM, points=60, boundary_weight="balance")
    own, balanced = ([condition.weight for condition in one.conditions] for one in (problem, trainer.problem))
    assert balanced[:2] == own[:2] and balanced[2] != own[2]


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
def test_a_non_finite_loss_stops_after_five_steps(optimizer):
    start = np.linspace(-1, 1, NETWORK.size)
    with pytest.warns(sl.TrainingWarning, match="'broken' stopped after 5 steps: .*non-finite.*Look for a division by zero"):
        run = train(broken(), optimizer, steps=50, theta=start)
    assert (run.stop_reason, len(run.history)) == ("non-finite", 5)
    assert not np.any(run.history.finite) and not np.any(run.history.accepted)
    assert np.array_equal(run.theta, start)


@pytest.mark.parametrize("name", sl.OPTIMIZERS)
def test_a_finite_loss_with_a_derivative_that_is_not_stops_too(name):
    """The root is clipped at zero, where its derivative is 0 · ∞: the loss is a number, its gradient is not."""
    equation = sl.interior(lambda u, x: sl.laplacian(u)(x) - jnp.sqrt(jnp.maximum(-(u(x) ** 2), 0.0)))
    problem = sl.Problem("root", sl.Box([0.0], [1.0]), [equation, sl.boundary(lambda u, x: u(x) - 1.0)])
    optimizer = sl.OPTIMIZERS[name](**({"rank": 8} if name == "sngd" else {}))
    with pytest.warns(sl.TrainingWarning, match="a root or a logarithm near zero"):
        run = train(problem, optimizer, steps=20)
    assert (run.stop_reason, len(run.history)) == ("non-finite", 5)
    assert np.all(np.isfinite(run.history.loss)) and not run.history.accepted.any()


@pytest.mark.parametrize("name", ["gd", "engd", "dual", "sngd", "paper"])
def test_a_run_in_which_every_step_is_refused_stalls(name):
    """Nothing that u can do makes this residual smaller."""
    problem = sl.Problem("flat", sl.Box([0.0], [1.0]), [sl.interior(lambda u, x: 1.0 + 0.0 * u(x))])
    if name in ("sngd", "paper"):
        optimizer = sl.sketched_natural_gradient(8, preset="paper" if name == "paper" else "best")
    else:
        optimizer = sl.OPTIMIZERS[name]()
    with pytest.warns(sl.TrainingWarning, match="'flat' stopped after 30 steps: many steps in a row were refused.*larger rank"):
        run = train(problem, optimizer, steps=100)
    assert (run.stop_reason, len(run.history)) == ("stalled", 30)
    assert np.all(np.isfinite(run.history.damping)) and "larger rank" in run.advice


def test_new_points_get_their_chance_before_a_run_stalls():
    problem = sl.Problem("flat", sl.Box([0.0], [1.0]), [sl.interior(lambda u, x: 1.0 + 0.0 * u(x))])
    with pytest.warns(sl.TrainingWarning, match="'flat' stopped after 42 steps"):
        train(problem, sl.gradient_descent(), steps=100, resampling=sl.redraw(12))


def test_a_loss_of_zero_is_solved():
    problem = sl.Problem("zero", sl.Box([0.0], [1.0]), [sl.interior(lambda u, x: 0.0 * u(x))])
    run = train(problem, sl.natural_gradient(), steps=20)
    assert (run.stop_reason, len(run.history)) == ("solved", 1)


def test_where_the_solution_is_zero_the_error_is_absolute():
    problem = sl.Problem(
        "zero", sl.Box([0.0], [1.0]), [sl.interior(lambda u, x: sl.laplacian(u)(x)), sl.boundary(lambda u, x: u(x))],
        solution=lambda x: 0.0 * x[0],
    )  # fmt: skip
    run = train(problem, sl.natural_gradient(), steps=40, tolerance=1e-8)
    assert run.stop_reason == "tolerance"
    x = np.linspace(0, 1, 1001)[:, None]
    assert run.history.relative_error[-1] == pytest.approx(np.sqrt(np.mean(np.asarray(run.solution(x)) ** 2)), rel=0.05)


def test_a_solution_that_is_not_finite_is_named_with_its_place():
    problem = sl.PROBLEMS["poisson_1d"]()
    pole = sl.Problem("pole", problem.domain, problem.conditions, solution=lambda x: jnp.sqrt(x[0] - 0.5))
    with pytest.raises(sl.InputError, match=r"the solution of 'pole' is non-finite at x = \[0\.\d+\]"):
        train(pole)


@pytest.mark.parametrize(
    "answer", [True, np.bool_(True), np.array(True), jnp.asarray(True), 1, np.int64(1)], ids=lambda answer: type(answer).__name__
)
def test_a_callback_may_answer_with_any_truth_value(answer):
    seen = []

    def callback(trainer, record):
        seen.append(record.step)
        return answer if record.step == 2 else None

    assert (train(callbacks=[callback]).stop_reason, seen) == ("callback", [1, 2])


@pytest.mark.parametrize(
    "callbacks, text",
    [
        (lambda trainer, record: None, "is no list of functions .*: write callbacks="),
        ([3], "is no list of functions"),
        ([lambda record: None], r"is no list of functions \(trainer, record\)"),
        ([lambda trainer, record: np.zeros(3)], "a callback returned .*: return True to stop"),
    ],
)
def test_callbacks_of_a_wrong_kind_are_named(callbacks, text):
    with pytest.raises(sl.InputError, match=text):
        train(callbacks=callbacks)


def test_theta_and_history_are_of_one_step_whenever_the_interrupt_falls(monkeypatch):
    """An interrupt between a step and its record, where the held-out error is computed, takes the step back."""
    trainer = sl.Trainer(sl.PROBLEMS["poisson_1d"](), NETWORK, sl.sketched_natural_gradient(8), points=20)
    trainer.step()
    before = trainer.run("interrupted")

    def press_ctrl_c(theta):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "errors", press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        trainer.step()
    after = trainer.run("interrupted")
    assert np.array_equal(before.theta, after.theta) and len(after.history) == 1
    for one, other in zip(before.state, after.state, strict=True):
        assert np.array_equal(one, other)


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
        ({"boundary_weight": "auto"}, "boundary_weight = 'auto' is neither a number above 0 nor 'balance'"),
        ({"optimizer": sl.sketched_natural_gradient(rank=20)}, r"exceeds min\(N, P\) = 19: .*widen the network"),
        ({"optimizer": sl.sketched_natural_gradient(rank=15), "points": 10}, r"exceeds min\(N, P\) = 10: .*sample more points"),
        ({"dtype": "float16"}, "dtype = 'float16' is not known"),
        ({"steps": 0}, "steps = 0 is not a whole number between 1 and 1000000000"),
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
    assert trainer.theta is theta and trainer.state.decomposition.shape[1] == 5
    assert np.array_equal(trainer.state.last_step, state.last_step) and trainer.state.search == state.search
    assert len(trainer.step().eigenvalues) == 5
    compilations = trainer.settings["compilations"]
    # Equal settings make an equal optimizer: nothing is compiled again.
    trainer.switch(sl.sketched_natural_gradient(rank=10))
    assert len(trainer.step().eigenvalues) == 10 and trainer.settings["compilations"] == compilations == 2
    trainer.switch(sl.adam())
    assert trainer.step().eigenvalues.size == 0 and len(trainer.records) == 4
    with pytest.raises(sl.InputError, match="rank"):
        trainer.switch(sl.sketched_natural_gradient(rank=10_000))
    assert trainer.optimizer.name == "adam"


def test_after_a_step_grid_the_damping_path_moves_again():
    trainer = sl.Trainer(sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 8, 1), sl.natural_gradient(search=sl.step_grid()), points=40)
    for _ in range(3):
        trainer.step()
    trainer.switch(sl.natural_gradient())
    records = [trainer.step() for _ in range(12)]
    assert sum(record.accepted for record in records) >= 10 and records[-1].loss < records[0].loss / 10


@pytest.mark.parametrize("block", [None, 7])
def test_equal_trainers_share_what_is_compiled(block):
    """A fresh trainer of equal parts compiles nothing: the step is found by what it computes."""
    make = functools.partial(sl.Trainer, points=22, block=block)
    first = make(sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 6, 1), sl.sketched_natural_gradient(7))
    second = make(sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 6, 1), sl.sketched_natural_gradient(7))
    step = compiled_step(first.optimizer, first.least_squares, quick=True)
    assert compiled_step(second.optimizer, second.least_squares, quick=True) is step
    assert step._cache_size() <= 1
    first.step(), second.step()
    assert step._cache_size() == 1


@pytest.mark.parametrize("resampling", [None, sl.redraw(2)], ids=["fixed", "redraw"])
@pytest.mark.parametrize("name", ["adam", "lbfgs", "engd", "sngd", "auto"])
def test_seeds_are_the_runs_one_by_one_with_one_compilation(name, resampling):
    optimizer = sl.sketched_natural_gradient("auto") if name == "auto" else sl.OPTIMIZERS[name](**RANK.get(name, {}))
    options = {"steps": 3, "points": 20, "progress": False, "resampling": resampling}
    together = sl.train_seeds(sl.PROBLEMS["poisson_1d"](), NETWORK, optimizer, seeds=[3, 0, 5], **options)
    for seed, run in zip([3, 0, 5], together, strict=True):
        alone = train(optimizer=optimizer, seed=seed, **options)
        assert np.array_equal(run.theta, alone.theta) and np.array_equal(run.history.loss, alone.history.loss)
        assert run.settings["seed"] == seed and run.stop_reason == "steps"
    assert together[-1].settings["compilations"] == 1


def test_each_seed_stops_by_itself():
    runs = sl.train_seeds(
        sl.PROBLEMS["poisson_1d"](), NETWORK, sl.sketched_natural_gradient(12),
        seeds=range(3), steps=60, tolerance=1e-3, points=30, progress=False,
    )  # fmt: skip
    assert all(run.stop_reason == "tolerance" for run in runs) and len({len(run.history) for run in runs}) > 1
    with pytest.raises(sl.InputError, match="seeds = .* is empty"):
        sl.train_seeds(sl.PROBLEMS["poisson_1d"](), NETWORK, ADAM, seeds=[])


def test_a_step_can_be_mapped_over_seeds():
    least_squares = sl.LeastSquares(sl.PROBLEMS["poisson_1d"](), NETWORK)
    setup = sl.Setup(least_squares.problem, NETWORK, points=20)
    theta, points = (jnp.stack([setup.theta(seed) for seed in range(3)]), setup.draw())

    @jax.jit
    def step(theta):
        state = ADAM.init(least_squares, theta, points, key=jax.random.key(0))
        return ADAM.step(least_squares, theta, state, points, key=jax.random.key(0))[0]

    np.testing.assert_allclose(jax.vmap(step)(theta), jnp.stack([step(one) for one in theta]), rtol=1e-12)


SHARDED = """
import jax, numpy as np
jax.config.update("jax_enable_x64", True)
import sketchlab as sl
mesh = jax.make_mesh((2,), ("points",))
assert mesh.size == 2
options = dict(points=[40, 2], steps=3, progress=False)
problem, network, optimizer = sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 6, 1), sl.sketched_natural_gradient(8)
runs = [sl.train(problem, network, optimizer, mesh=one, **options) for one in (None, mesh)]
np.testing.assert_allclose(runs[0].history.loss, runs[1].history.loss, rtol=1e-6)
trainer = sl.Trainer(problem, network, optimizer, points=[40, 2], mesh=mesh)
trainer.step()
assert len(trainer.points[0].devices()) == 2
try:
    sl.train(problem, network, optimizer, points=[41, 2], mesh=mesh)
except sl.InputError as error:
    assert "41 points, which 2 devices cannot share evenly" in str(error)
else:
    raise AssertionError("41 points were shared by 2 devices")
print("shared")
"""


def test_two_devices_share_the_points():
    environment = os.environ | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"}
    done = subprocess.run([sys.executable, "-c", SHARDED], env=environment, capture_output=True, text=True, timeout=240)
    assert done.stdout.strip() == "shared", done.stderr


def test_points_and_parameters_can_be_set_by_hand(problem, network):
    trainer = sl.Trainer(problem, network, sl.natural_gradient(), points=60)
    mine = tuple(0.5 * x for x in trainer.points)
    trainer.points, trainer.theta = mine, 2 * trainer.theta
    loss = trainer.least_squares.loss(trainer.theta, mine)
    record = trainer.step()
    assert record.accepted and record.loss < loss
    assert record.loss == pytest.approx(float(trainer.least_squares.loss(trainer.theta, mine)), rel=1e-9)


def test_step_bytes_grow_with_the_network(problem):
    small, large = (sl.Trainer(problem, sl.MLP(2, width, 2), sl.natural_gradient(), points=60) for width in (4, 16))
    assert 0 < small.step_bytes < large.step_bytes
