import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import robin_on_a_disk

import sketchlab as sl
from sketchlab.trainer import compiled_step

TRANSPORT = sl.PROBLEMS["transport_1d"](speed=2.0)
NETWORK = sl.Periodic(sl.MLP(3, 10, 2), (1.0, None))
OPTIONS = {"slabs": 4, "points": 400, "progress": False}


def marched(problem=TRANSPORT, network=NETWORK, **options):
    return sl.march(problem, network, sl.natural_gradient(), **OPTIONS | options)


def error(run):
    x = run.problem.domain.sample(500, seed=5)
    exact = np.asarray(jax.vmap(run.problem.solution)(jnp.asarray(x)))
    return np.linalg.norm(run.solution(x) - exact) / np.linalg.norm(exact)


def vibrating_string():
    """A string of two modes: second order in time, so that a slab goes on from values and velocities."""

    def exact(x):
        return jnp.sin(jnp.pi * x[0]) * jnp.cos(jnp.pi * x[1])

    def begin(u, x):
        return jnp.stack([u(x) - exact(x), sl.partial(u, 1)(x)])

    conditions = [
        sl.interior(lambda u, x: sl.partial(sl.partial(u, 1), 1)(x) - sl.partial(sl.partial(u, 0), 0)(x)),
        sl.face(axis=0, side="lower", residual=lambda u, x: u(x)),
        sl.face(axis=0, side="upper", residual=lambda u, x: u(x)),
        sl.face(axis=1, side="lower", residual=begin, equations=2),
    ]
    return sl.Problem("string", sl.Box([0.0, 0.0], [1.0, 2.0]), conditions, solution=exact, axes=("x", "t"))


def test_slabs_are_a_network_whose_parts_see_times_from_0_to_1():
    slabs = sl.Slabs(sl.MLP(2, 4, 1), start=1.0, length=0.5, count=3)
    thetas = [slabs.network.init(key=jax.random.key(seed)) for seed in range(3)]
    theta = slabs.joined(thetas)
    np.testing.assert_array_equal(jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(slabs.unflatten(theta))]), theta)
    for time, slab, inside in ((1.1, 0, 0.2), (1.9, 1, 0.8), (2.4, 2, 0.8), (0.9, 0, -0.2), (2.6, 2, 1.2)):
        expected = slabs.network.apply(thetas[slab], jnp.array([0.3, inside]))
        assert slabs.apply(theta, jnp.array([0.3, time])) == pytest.approx(float(expected), rel=1e-12)


def test_all_slabs_share_one_compilation_and_make_one_solution():
    before = compiled_step.cache_info().misses
    run = marched(steps=40)
    assert compiled_step.cache_info().misses == before + 1
    assert len(run.history) == 160 and np.all(np.diff(run.history.seconds) > 0)
    assert error(run) < 1e-2
    # What a slab begins with is what the one before ended with.
    before, after = (np.stack([np.linspace(0, 1, 9), np.full(9, 0.25 + shift)], axis=1) for shift in (-1e-9, 1e-9))
    np.testing.assert_allclose(run.solution(before), run.solution(after), atol=2e-3)


def test_an_equation_of_second_order_hands_on_values_and_velocities():
    run = marched(vibrating_string(), sl.MLP(2, 12, 1), slabs=4, points=200, steps=60)
    assert error(run) < 1e-2


def test_regions_may_be_given_as_parts_of_the_box():
    problem = vibrating_string()
    given = zip(problem.conditions, problem.regions, strict=True)
    same = dataclasses.replace(problem, conditions=[dataclasses.replace(one, region=region) for one, region in given])
    runs = [marched(one, sl.MLP(2, 12, 1), slabs=2, points=200, steps=5) for one in (problem, same)]
    np.testing.assert_array_equal(runs[0].theta, runs[1].theta)
    for ours, theirs in zip(runs[0].points, runs[1].points, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_march_that_was_stopped_goes_on_from_a_file_as_if_it_had_not(tmp_path):
    whole = marched(steps=4)

    def stop(trainer, record):
        return record.step == 2 and trainer.problem.name.endswith("(2)")

    part = marched(steps=4, callbacks=[stop])
    assert part.stop_reason == "callback" and part.settings["slab_steps"] == [4] and len(part.history) == 6
    sl.save(part, tmp_path / "run.npz")
    again = marched(steps=4, after=sl.load(tmp_path / "run.npz"))
    np.testing.assert_array_equal(again.theta, whole.theta)
    np.testing.assert_array_equal(again.history.loss, whole.history.loss)
    assert marched(steps=4, after=again).history.loss.size == 16


def test_slabs_that_begin_where_one_ended_may_take_fewer_steps(tmp_path):
    run = marched(slabs=3, steps=(6, 2), points=60)
    assert run.settings["slab_steps"] == [6, 2, 2]
    march = sl.March(TRANSPORT, NETWORK, sl.natural_gradient(), slabs=3, steps=(6, 2), points=60)
    for _ in range(10):
        march.step()
    np.testing.assert_array_equal(march.theta, run.theta)
    assert march.run("steps").settings["march"] == run.settings["march"]
    part = marched(slabs=3, steps=(6, 2), points=60, callbacks=[lambda trainer, record: trainer.problem.name.endswith("(2)")])
    sl.save(part, tmp_path / "run.npz")
    assert part.settings["slab_steps"] == [6]
    np.testing.assert_array_equal(sl.resume(tmp_path / "run.npz", progress=False).theta, run.theta)


@pytest.mark.parametrize("steps", [(), (6, 0), "ten", (6, 2.5)])
def test_steps_of_slabs_are_one_number_or_several(steps):
    with pytest.raises(sl.InputError, match="steps"):
        marched(steps=steps)


def test_a_recipe_with_two_numbers_of_steps_solves_the_whole_interval_too():
    recipe = sl.Recipe(width=6, points=60, rank=20, steps=(3, 2), slabs=2)
    problem = dataclasses.replace(TRANSPORT, recipe=recipe)
    assert len(sl.solve(problem, progress=False).history) == 5
    assert len(sl.solve(problem, slabs=1, progress=False).history) == 3
    assert marched(slabs=4, steps=(3, 1, 2), points=60).settings["slab_steps"] == [3, 1, 2, 2]


def test_points_are_drawn_anew_with_what_comes_with_them():
    run = marched(steps=4, points=60, resampling=sl.redraw(2))
    assert len(run.history) == 16 and np.all(np.isfinite(run.history.loss))


def test_what_cannot_be_read_of_all_slabs_is_said_before_training():
    reads = dataclasses.replace(TRANSPORT, conditions=[*TRANSPORT.conditions, sl.interior(lambda u, x: u.speed * u(x))])
    with pytest.raises(sl.InputError, match="u has no constant 'speed'"):
        marched(reads, steps=1)
    with pytest.raises(sl.InputError, match="constants, speed: each slab would find others"):
        marched(reads, sl.WithConstants(NETWORK, speed=1.0), steps=1)


def test_a_march_that_has_begun_has_its_number_of_slabs():
    with pytest.raises(sl.InputError, match="has found already"):
        marched(slabs="auto", after=marched(slabs=2, steps=1, points=60))


def test_a_time_need_not_begin_at_0():
    later = dataclasses.replace(
        TRANSPORT,
        domain=sl.Box([0.0, 5.0], [1.0, 6.0]),
        conditions=[
            dataclasses.replace(c, residual=lambda u, x, r=c.residual: r(lambda y: u(y.at[1].add(5.0)), x.at[1].add(-5.0)))
            for c in TRANSPORT.conditions
        ],
        solution=lambda x: TRANSPORT.solution(x.at[1].add(-5.0)),
    )
    assert error(marched(later, steps=40)) < 1e-2


@pytest.mark.parametrize(
    ("problem", "options", "text"),
    [
        (TRANSPORT, {"slabs": 0}, "slabs = 0"),
        (robin_on_a_disk(), {}, "is no box: march goes along the last axis of one"),
        (sl.PROBLEMS["poisson_2d"](), {}, "cannot be cut into slabs: write one sl.face"),
        (
            dataclasses.replace(TRANSPORT, conditions=[*TRANSPORT.conditions, sl.data([[0.5, 0.5]], [0.1], sigma=0.1)]),
            {},
            "has measured points, which belong to no slab",
        ),
        (
            dataclasses.replace(
                TRANSPORT,
                conditions=[
                    *TRANSPORT.conditions,
                    sl.Condition(lambda u, x: u(x), sl.Box([0.0, 0.0], [1.0, 0.5]).face(0, "lower")),
                ],
            ),
            {},
            "cannot be cut into slabs: write one sl.face",
        ),
        (dataclasses.replace(TRANSPORT, conditions=TRANSPORT.conditions[:2]), {}, "no condition where the time begins"),
        (TRANSPORT, {"after": 3}, "after = 3 is no Run"),
        (TRANSPORT, {"stps": 3}, "march has no option 'stps'. Did you mean 'steps'"),
    ],
)
def test_what_cannot_be_marched_is_refused(problem, options, text):
    network = NETWORK if problem.dim == 2 else sl.MLP(1, 4, 1)
    with pytest.raises(sl.InputError, match=text):
        marched(problem, network, steps=2, **options)


def test_as_many_slabs_as_make_two_of_them_agree():
    run = sl.march(TRANSPORT, None, sl.natural_gradient(), slabs="auto", points=300, steps=40, progress=False)
    tried = run.settings["slabs_tried"]
    assert run.network.count == 2 * max(tried) and list(tried)[-1] == max(tried)
    assert tried[max(tried)] <= 1e-3 < min([value for count, value in tried.items() if count < max(tried)], default=1.0)
    assert error(run) < 1e-3
    # Its first slab is not trained twice.
    assert len(run.history) == 40 * run.network.count


def test_more_slabs_do_not_compile_anew():
    before = compiled_step.cache_info().misses
    for slabs in (2, 4):
        marched(network=sl.Periodic(sl.MLP(3, 7, 1), (1.0, None)), slabs=slabs, steps=1)
    assert compiled_step.cache_info().misses == before + 1


def test_a_checkpoint_of_a_march_goes_on(tmp_path):
    path, whole = tmp_path / "march.npz", marched(steps=4)

    class Killed(Exception):
        pass

    def kill(trainer, record):
        if record.step == 2 and trainer.problem.name.endswith("(3)"):
            raise Killed

    with pytest.raises(Killed) as raised:
        marched(steps=4, callbacks=[kill], checkpoint=path)
    assert raised.value.run.settings["slab_steps"] == [4, 4] and len(sl.load(path).history) == 8
    again = sl.resume(path, progress=False)
    np.testing.assert_array_equal(again.theta, whole.theta)
    np.testing.assert_array_equal(again.history.loss, whole.history.loss)
    assert all(np.array_equal(one, other) for one, other in zip(again.points, whole.points, strict=True))
    assert sl.load(path).settings == again.settings


def test_points_of_a_march_lie_in_all_of_the_interval():
    run = marched(steps=1)
    inside, side, start = run.points
    assert len(inside) == 4 * 320 and np.all(start[:, 1] == 0) and len(start) < len(side)
    assert all(np.all(run.problem.domain.contains(x)) for x in run.points)
    assert np.histogram(inside[:, 1], 4, (0, 1))[0].tolist() == [320] * 4


def test_a_problem_is_solved_by_its_recipe():
    recipe = sl.Recipe(width=6, depth=1, points=120, rank=20, steps=3, slabs=2, options={"sampler": sl.SAMPLERS["sobol"]})
    problem = dataclasses.replace(TRANSPORT, recipe=recipe)
    run = sl.solve(problem, progress=False)
    assert run.network == sl.Slabs(sl.MLP(2, 6, 1), start=0.0, length=0.5, count=2)
    assert run.history.rank.tolist() == [20] * 6 and run.settings["sampler"] == "sobol"
    whole = sl.solve(problem, slabs=1, points=60, progress=False)
    assert whole.network == sl.MLP(2, 6, 1) and whole.settings["points"] == 60 and len(whole.history) == 3


def test_what_does_not_fit_is_said_in_the_first_slab():
    with pytest.raises(sl.InputError, match=r"exceeds min\(N, P\)"):
        sl.march(TRANSPORT, NETWORK, sl.sketched_natural_gradient(500), **OPTIONS)
    for slabs in (0, "many", 1.5):
        with pytest.raises(sl.InputError, match=f"slabs = {slabs!r}"):
            marched(slabs=slabs)


def test_a_march_a_step_at_a_time_is_the_same_march():
    whole = marched(steps=4, slabs=3, seed=5, resampling=sl.redraw(2))
    march = sl.March(TRANSPORT, NETWORK, sl.natural_gradient(), slabs=3, steps=4, points=400, seed=5, resampling=sl.redraw(2))
    records = [march.step() for _ in range(6)]
    assert [record.step for record in records] == [1, 2, 3, 4, 5, 6] and march.slab == 1 and march.ended is None
    # What was not reached goes on with the parameters of the last slab.
    half = march.run("interrupted")
    assert half.settings["slab_steps"] == [4] and half.theta.shape == whole.theta.shape == march.theta.shape
    for _ in range(6):
        march.step()
    run = march.run("steps")
    np.testing.assert_array_equal(run.theta, whole.theta)
    np.testing.assert_array_equal(run.history.loss, whole.history.loss)
    assert run.settings["slab_steps"] == [4, 4, 4] and run.settings["march"] == whole.settings["march"]
    with pytest.raises(sl.InputError, match="slabs = 0"):
        sl.March(TRANSPORT, slabs=0, steps=4)
    with pytest.raises(sl.InputError, match="cannot be cut into slabs"):
        sl.March(sl.PROBLEMS["poisson_2d"](), slabs=2, steps=4)


def test_a_march_ends_early_in_the_last_slab_only():
    zero = dataclasses.replace(
        TRANSPORT,
        conditions=[dataclasses.replace(one, residual=lambda u, x: 0.0 * u(x)) for one in TRANSPORT.conditions],
    )
    march = sl.March(zero, NETWORK, sl.natural_gradient(), slabs=2, steps=3, points=40)
    march.step()
    # Nothing is left to do in the first slab: the next step is in the second.
    assert march.trainer.ended == "solved" and march.ended is None
    march.step()
    assert march.slab == 1 and march.ended == "solved"


def test_hard_initial_values_are_for_the_whole_interval():
    hard = sl.Hard(NETWORK, lift=lambda x: jnp.sin(2 * jnp.pi * x[0]), distance=lambda x: x[1])
    with pytest.raises(sl.InputError, match="Hard has the same values at the beginning of every slab"):
        marched(network=hard, steps=2)
    assert len(marched(network=hard, steps=2, slabs=1).history) == 2
    with pytest.raises(sl.InputError, match="without hard initial values, or slabs=1"):
        sl.solve(sl.PROBLEMS["burgers"](viscosity=0.01), slabs=2, steps=2, progress=False)
    # A distance that vanishes elsewhere is none of these.
    sides = sl.Hard(sl.MLP(2, 6), lift=None, distance=lambda x: jnp.sin(jnp.pi * x[0]))
    assert len(sl.solve(sl.PROBLEMS["burgers"](), sides, slabs=2, points=[20, 2, 2, 9], steps=2, progress=False).history) == 4
