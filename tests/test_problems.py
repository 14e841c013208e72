import dataclasses
import inspect
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import robin_on_a_disk

import sketchlab as sl
from sketchlab.cutting import slab_of
from sketchlab.equations.references import Reference
from sketchlab.networks import network_from_settings

CASES = {name: factory() for name, factory in sl.PROBLEMS.items()} | {
    "transport, speed 10": sl.PROBLEMS["transport_1d"](speed=10)
}


@pytest.mark.parametrize("name", [name for name in CASES if name != "cavity"])
def test_residuals_vanish_at_the_solution(name):
    problem = CASES[name]
    # Stored solutions have an error of their own, which derivatives make larger.
    allowed = 1e-4 if isinstance(problem.solution, Reference) else 1e-9
    for condition, x in zip(problem.conditions, problem.sample(60, seed=0), strict=True):
        values = jax.vmap(lambda y, c=condition: c.residual(problem.solution, y))(jnp.asarray(x))
        assert jnp.max(jnp.abs(values)) < allowed


def test_the_flow_in_the_cavity_satisfies_its_equation_away_from_the_corners():
    # In a corner, fourth derivatives of the stream function are infinite (Moffatt 1964): they are not asked for there.
    problem = sl.PROBLEMS["cavity"]()
    x = 0.1 + 0.8 * problem.domain.sample(200, seed=0)
    values = jax.vmap(lambda y: problem.conditions[0].residual(problem.solution, y))(jnp.asarray(x))
    assert jnp.max(jnp.abs(values)) < 1e-4
    for condition, y in zip(problem.conditions[1:], problem.sample(60, seed=0)[1:], strict=True):
        assert jnp.max(jnp.abs(jax.vmap(lambda z, c=condition: c.residual(problem.solution, z))(jnp.asarray(y)))) < 1e-12


@pytest.mark.parametrize("name", ["allen_cahn", "korteweg_de_vries", "kuramoto_sivashinsky"])
def test_stored_solutions_know_their_error(name):
    solution = sl.PROBLEMS[name]().solution
    assert 0 < solution.error < 1e-6
    # Smooth from one panel of time to the next.
    edges = solution._stored["edges"][1:-1]
    before, after = (jax.vmap(solution)(jnp.stack([jnp.full(len(edges), 0.4), edges * (1 + s)], axis=1)) for s in (-1e-14, 1e-14))
    np.testing.assert_allclose(before, after, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_residuals_do_not_vanish_for_a_wrong_function(name):
    problem = CASES[name]
    for condition, x in zip(problem.conditions, problem.sample(60, seed=0), strict=True):
        values = jax.vmap(lambda y, c=condition: c.residual(lambda z: problem.solution(z) + jnp.prod(2 + z) * jnp.exp(z[-1]), y))(
            jnp.asarray(x)
        )
        assert jnp.max(jnp.abs(values)) > 0.1


def test_names_and_equations_identify_the_problems():
    for name, factory in sl.PROBLEMS.items():
        assert factory().name == name
        assert "u" in factory().equation and factory.__doc__


def test_the_interior_gets_four_fifths_and_faces_the_rest():
    assert [len(x) for x in CASES["poisson_2d"].sample(500, seed=0)] == [400, 100]
    heat = [len(x) for x in CASES["heat_1d"].sample(500, seed=0)]
    assert heat[0] == 400
    assert max(heat[1:]) - min(heat[1:]) <= 1 and sum(heat) == 500


def test_in_one_dimension_the_interior_gets_all_that_faces_cannot_use():
    assert [len(x) for x in CASES["poisson_1d"].sample(100, seed=0)] == [98, 2]


def test_points_can_be_counted_for_each_condition():
    assert [len(x) for x in CASES["heat_1d"].sample([30, 4, 5, 6], seed=0)] == [30, 4, 5, 6]


def test_conditions_draw_different_points_from_one_seed():
    _, left, right, _ = CASES["heat_1d"].sample([5, 5, 5, 5], seed=0)
    assert not np.any(left[:, 1] == right[:, 1])


@pytest.mark.parametrize("points", [1, 0, -5, 10.0, True])
def test_too_few_points_or_none_are_refused(points):
    with pytest.raises(sl.InputError, match="points = .* is not a whole number between 2 and"):
        CASES["poisson_2d"].sample(points, seed=0)


def test_a_points_list_of_the_wrong_length_is_refused():
    with pytest.raises(sl.InputError, match=r"points = \[10, 5, 5\] has 3 numbers for the 2 conditions of 'poisson_2d'"):
        CASES["poisson_2d"].sample([10, 5, 5], seed=0)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(sl.InputError, match=r"seed = .* is not a whole number between 0 and 4294967295"):
        CASES["poisson_2d"].sample(10, seed=seed)


@pytest.mark.parametrize("weight", [np.nan, 0, -1.0, np.inf, "1"])
def test_a_weight_must_be_positive_and_finite(weight):
    with pytest.raises(sl.InputError, match="weight = .* is not a number in"):
        sl.interior(lambda u, x: u(x), weight)


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(sl.InputError, match=r"unknown problem 'poison_2d'. Did you mean 'poisson_2d'\? Known: poisson_1d"):
        sl.PROBLEMS["poison_2d"]


def test_a_problem_needs_conditions():
    with pytest.raises(sl.InputError, match="'empty' has no conditions"):
        sl.Problem("empty", sl.Box([0], [1]), [])


def test_a_condition_on_a_missing_face_is_refused():
    with pytest.raises(sl.InputError, match="is no region of a 1-dimensional box"):
        sl.Problem("p", sl.Box([0], [1]), [sl.face(axis=1, side="lower", residual=lambda u, x: u(x))])


@pytest.mark.parametrize("speed", [np.nan, np.inf, 1001, "fast"])
def test_a_bad_transport_speed_is_refused(speed):
    with pytest.raises(sl.InputError, match="speed = "):
        sl.PROBLEMS["transport_1d"](speed)


@pytest.mark.parametrize("total", [4, 5, 6, 8, 10, 13, 100, 1000, 1100])
@pytest.mark.parametrize("problem", CASES.values(), ids=CASES)
def test_the_total_is_shared_out_to_the_last_point(problem, total):
    # A point for each condition at least.
    total = max(total, len(problem.conditions))
    assert sum(len(x) for x in problem.sample(total, seed=0)) == total


def test_axes_have_names():
    assert sl.PROBLEMS["heat_1d"]().axes == ("x", "t") and sl.PROBLEMS["poisson_1d"]().axes == ("x",)
    assert sl.PROBLEMS["poisson_5d"]().axes == ("x₁", "x₂", "x₃", "x₄", "x₅")
    with pytest.raises(sl.InputError, match="are not the names of 1 coordinates"):
        sl.Problem("p", sl.Box([0.0], [1.0]), [sl.interior(lambda u, x: u(x))], axes=("x", "t"))


def heat(lengths):
    return sl.Problem("heat", sl.Box([0, 0], lengths), CASES["heat_1d"].conditions)


@pytest.mark.parametrize("lengths", [(1, 100), (0.2, 10), (100, 1)])
def test_a_long_thin_box_leaves_every_condition_half_of_an_equal_share(lengths):
    counts = [len(x) for x in heat(lengths).sample(1000, seed=0)]
    assert counts[0] == 800 and sum(counts) == 1000
    assert min(counts[1:]) >= 200 / 6 - 1
    assert counts[1] == pytest.approx(counts[2], abs=1) and (counts[3] > counts[1]) == (lengths[0] > lengths[1])


def test_an_uneven_box_shares_by_area_where_nothing_is_starved():
    assert [len(x) for x in heat((2, 3)).sample(1000, seed=0)] == [800, 75, 75, 50]


def test_points_drawn_again_by_their_numbers_are_as_many():
    long = sl.Problem("long", sl.Box([0.0, 0.0], [1.0, 10.0]), CASES["poisson_2d"].conditions)
    for name in ("uniform", "sobol"):
        for total in (2, 7, 25, 101):
            first = long.sample(total, seed=0, sampler=sl.SAMPLERS[name])
            assert sum(len(x) for x in first) == total
            again = long.sample([len(x) for x in first], seed=0, sampler=sl.SAMPLERS[name])
            assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_both_ends_of_an_interval_are_kept_for_few_points():
    assert [len(x) for x in CASES["poisson_1d"].sample(4, seed=0)] == [2, 2]


def test_conditions_on_the_boundary_alone_share_the_whole_total():
    ends = [sl.face(axis=0, side=side, residual=lambda u, x: u(x)) for side in ("lower", "upper")]
    assert [len(x) for x in sl.Problem("ends", sl.Box(0, 1), ends).sample(9, seed=0)] == [1, 1]
    assert [len(x) for x in sl.Problem("ends", sl.Box([0, 0], [1, 1]), ends).sample(9, seed=0)] in ([4, 5], [5, 4])


@pytest.mark.parametrize(
    "points", [np.int64(40), np.array(40), jnp.array(40), [38, 2], np.array([38, 2]), list(np.array([38, 2])), (38, 2)]
)
def test_numbers_of_points_may_be_numpy_integers_and_arrays(points):
    assert [len(x) for x in CASES["poisson_1d"].sample(points, seed=0)] == [38, 2]


@pytest.mark.parametrize("points", ["40", None, np.array([38.0, 2.0]), [True, 2], ["38", 2]])
def test_other_kinds_of_points_are_refused(points):
    with pytest.raises(sl.InputError, match="points = .* is not a whole number"):
        CASES["poisson_1d"].sample(points, seed=0)


def make(**changes):
    options = {"name": "p", "domain": sl.Box([0], [1]), "conditions": [sl.interior(lambda u, x: u(x))]} | changes
    return lambda: sl.Problem(**options)


@pytest.mark.parametrize(
    "call, text",
    [
        (make(name=3), "name = 3 is no str: give text"),
        (make(equation=None), "equation = None is no str"),
        (make(domain=[[0, 1], [0, 1]]), r"domain = \[\[0, 1\], \[0, 1\]\] is no Domain: give a box by its corners, as sl.Box"),
        (make(domain=None), "domain = None is no Domain"),
        (make(domain=sl.Box), "is no Domain"),
        (make(conditions=None), "conditions = None is not a list: write conditions="),
        (make(conditions=sl.interior(lambda u, x: u(x))), "conditions = Condition.* is not a list"),
        (make(conditions=lambda u, x: u(x)), "is not a list"),
        (make(conditions=[lambda u, x: u(x)]), r"conditions\[0\] = .*<lambda>.* is no Condition: give sl.interior\(residual\)"),
        (make(conditions=["x"]), "'x' is no Condition"),
        (make(solution="sin"), "solution = 'sin' is not a function: write lambda x"),
        (make(outputs="1"), "outputs = '1'"),
        (make(axes=3), "axes = 3 are not the names of 1 coordinates"),
        (make(axes=[3]), r"axes = \[3\] are not the names"),
        (
            make(conditions=[sl.Condition(lambda u, x: u(x), sl.Box([0, 0], [1, 1]))]),
            "has points of 2 coordinates, the domain of 1",
        ),
        (make(conditions=[sl.interior(lambda u, x, normal: u(x))]), "on the interior takes .u, x, normal., but only a boundary"),
        (
            make(domain=sl.Ball([0, 0], 1), conditions=[sl.face(axis=0, side="lower", residual=lambda u, x: u(x))]),
            "Ball has no faces: use sl.b",
        ),
        (lambda: sl.interior(3), "residual = 3 is not a function: write lambda u, x"),
        (lambda: sl.Condition(lambda u, x: u(x), "interior"), "region = 'interior' is not a region: use sl.interior"),
        (lambda: sl.interior(lambda u, x: u(x), equations=0), "equations = 0"),
        (lambda: CASES["heat_1d"].reweighted([1.0]), r"weights = \[1.0\] do not fit the 4 conditions"),
        (lambda: CASES["heat_1d"].reweighted(None), "weights = None do not fit the 4 conditions"),
        (lambda: CASES["poisson_1d"].reweighted([1j, 1]), "weight = 1j is not a number"),
    ],
)
def test_objects_of_a_wrong_kind_are_named(call, text):
    with pytest.raises(sl.InputError, match=text):
        call()


def test_names_are_those_of_the_regions_with_numbers_where_they_repeat():
    assert CASES["heat_1d"].names == ["interior", "lower face of axis 0", "upper face of axis 0", "lower face of axis 1"]
    twice = make(conditions=[sl.interior(lambda u, x: u(x))] * 2)()
    assert twice.names == ["interior (1)", "interior (2)"] and str(twice.conditions[0].region) == "interior"


def test_a_condition_may_hold_on_a_region_itself():
    part = sl.Box([0.0, 0.0], [0.5, 1.0])
    problem = make(domain=sl.Box([0, 0], [1, 1]), conditions=[sl.Condition(lambda u, x: u(x), part)])()
    assert problem.regions == (part,) and np.all(problem.sample(50, seed=0)[0][:, 0] <= 0.5)


def test_three_required_parameters_take_a_normal():
    assert sl.boundary(lambda u, x, normal: u(x)).takes_normal
    for residual in (lambda u, x: u(x), lambda u, x, scale=2.0: scale * u(x), lambda u, x, *rest: u(x)):
        assert not sl.boundary(residual).takes_normal


def test_weights_of_numpy_are_kept_as_numbers_of_python():
    assert type(sl.interior(lambda u, x: u(x), np.float32(2)).weight) is float


def test_a_network_fits_its_problem():
    assert CASES["heat_1d"].network(width=8) == sl.MLP(2, 8, 2)
    assert robin_on_a_disk().network(4, 1, "sin") == sl.MLP(2, 4, 1, activation="sin")


def test_the_catalogue_notes_how_a_problem_was_made():
    assert sl.PROBLEMS["heat_1d"]().origin == ("heat_1d", {})
    assert sl.PROBLEMS["transport_1d"]().origin == ("transport_1d", {"speed": 1.0})
    problem = sl.PROBLEMS["transport_1d"](np.int64(3))
    assert problem.origin == ("transport_1d", {"speed": 3}) and type(problem.origin[1]["speed"]) is int
    assert problem.reweighted([1, 2, 3]).origin == problem.origin
    assert make()().origin is None
    # A changed problem is no longer the catalogue's.
    assert dataclasses.replace(problem, name="mine").origin is None


def test_a_problem_that_a_user_enters_is_noted_too(monkeypatch):
    monkeypatch.setattr(sl, "PROBLEMS", type(sl.PROBLEMS)())

    def mine(length, kind="a"):
        return sl.PROBLEMS["inner"](length)

    sl.PROBLEMS["inner"] = lambda length: make(domain=sl.Box(0, length))()
    sl.PROBLEMS.update({"mine": mine})
    assert sl.PROBLEMS["mine"](2).origin == ("mine", {"length": 2, "kind": "a"})
    assert sl.PROBLEMS["mine"].__name__ == "mine" and list(inspect.signature(sl.PROBLEMS["mine"]).parameters) == [
        "length",
        "kind",
    ]
    sl.PROBLEMS["bad"] = lambda: None
    with pytest.raises(sl.InputError, match=r"PROBLEMS\['bad'\] returned None: it must return a Problem"):
        sl.PROBLEMS["bad"]()
    with pytest.raises(sl.InputError, match="enter a function that returns a Problem"):
        sl.PROBLEMS["worse"] = make()()


def test_a_disk_with_a_condition_on_its_normal_derivative_is_solved():
    problem = robin_on_a_disk()
    run = sl.train(
        problem, problem.network(8, 1, "swish"), sl.natural_gradient(), points=60, steps=60, tolerance=1e-4, progress=False
    )
    assert run.stop_reason == "tolerance"


@pytest.mark.parametrize("name", sl.PROBLEMS)
def test_recipes_fit_their_problems(name):
    problem = sl.PROBLEMS[name]()
    recipe = problem.recipe
    seen = problem if recipe.slabs == 1 else slab_of(problem)
    network = seen.network()
    setup = sl.Setup(seen, network, recipe.points)
    assert recipe.rank is None or recipe.rank < min(setup.rows, network.size)
    assert network_from_settings(json.loads(json.dumps(network.settings))) == network
    assert sl.Setup(problem, problem.network(5, 1, "sin"), 200).parameters < setup.parameters
    assert hash(problem) == hash(problem.reweighted([condition.weight for condition in problem.conditions]))
    # What is not usual is explained.
    assert recipe == sl.Recipe() or len(recipe.why) > 20


@pytest.mark.parametrize("name", sl.PROBLEMS)
def test_problems_are_computed_in_single_precision_too(name):
    problem = sl.PROBLEMS[name]()
    setup = sl.Setup(problem, problem.network(5, 1), 60, dtype="float32")
    residual = setup.least_squares.residual(setup.theta(), setup.draw())
    assert residual.dtype == jnp.float32 and np.all(np.isfinite(residual))
    assert jax.vmap(problem.solution)(jnp.ones((2, problem.dim), jnp.float32)).dtype == jnp.float32
