import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sketchlab as sl

CASES = {name: factory() for name, factory in sl.PROBLEMS.items()} | {
    "transport, speed 10": sl.PROBLEMS["transport_1d"](speed=10)
}


@pytest.mark.parametrize("name", CASES)
def test_residuals_vanish_at_the_exact_solution(name):
    problem = CASES[name]
    for condition, x in zip(problem.conditions, problem.sample(60, seed=0), strict=True):
        values = jax.vmap(lambda y, c=condition: c.residual(problem.solution, y))(jnp.asarray(x))
        # The largest term of any equation here is 2π · speed.
        assert jnp.max(jnp.abs(values)) < 1e-10 * (70 if "10" in name else 10)


@pytest.mark.parametrize("name", CASES)
def test_residuals_do_not_vanish_for_a_wrong_function(name):
    problem = CASES[name]
    for condition, x in zip(problem.conditions, problem.sample(60, seed=0), strict=True):
        values = jax.vmap(lambda y, c=condition: c.residual(lambda z: problem.solution(z) + z[0] * jnp.exp(z[-1]) + 1, y))(
            jnp.asarray(x)
        )
        assert jnp.max(jnp.abs(values)) > 0.1


def test_names_and_equations_identify_the_problems():
    for name, factory in sl.PROBLEMS.items():
        assert factory().name == name
        assert "u = " in factory().equation


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
    with pytest.raises(sl.InputError, match="points = .* is not a whole number of at least 2"):
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


@pytest.mark.parametrize("total", [100, 1000, 1100])
@pytest.mark.parametrize("problem", CASES.values(), ids=CASES)
def test_the_total_is_shared_out_to_the_last_point(problem, total):
    assert sum(len(x) for x in problem.sample(total, seed=0)) == total


def test_axes_have_names():
    assert sl.PROBLEMS["heat_1d"]().axes == ("x", "t") and sl.PROBLEMS["poisson_1d"]().axes == ("x",)
    assert sl.PROBLEMS["poisson_5d"]().axes == ("x₁", "x₂", "x₃", "x₄", "x₅")
    with pytest.raises(sl.InputError, match="are not the names of 1 coordinates"):
        sl.Problem("p", sl.Box([0.0], [1.0]), [sl.interior(lambda u, x: u(x))], axes=("x", "t"))
