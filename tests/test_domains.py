import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import Disk

import sketchlab as sl

BOX = sl.Box([-1.0, 0.0, 2.0], [1.0, 3.0, 2.5])
UNIFORM = sl.SAMPLERS["uniform"]


@pytest.fixture(params=list(sl.SAMPLERS))
def sampler(request):
    return sl.SAMPLERS[request.param]


def test_interior_points_lie_inside_and_fill_every_axis(sampler):
    x = BOX.sample(216, seed=0, sampler=sampler)
    assert x.shape == (216, 3)
    assert np.all(x > BOX.lower) and np.all(x < BOX.upper)
    assert np.all(np.ptp(x, axis=0) > 0.8 * BOX.lengths)


def test_boundary_points_lie_on_faces_and_share_them_by_area(sampler):
    n = 500
    x = BOX.boundary.sample(n, seed=0, sampler=sampler)
    lower, upper = x == np.array(BOX.lower), x == np.array(BOX.upper)
    assert np.all((lower | upper).sum(axis=1) == 1)
    assert np.all((x >= BOX.lower) & (x <= BOX.upper))
    if sampler is not sl.SAMPLERS["grid"]:
        areas = np.array([1.5, 1.0, 6.0])
        assert len(x) == n
        np.testing.assert_allclose(lower.sum(axis=0), n * areas / 17, atol=1)
        np.testing.assert_allclose(upper.sum(axis=0), n * areas / 17, atol=1)


def test_one_face_holds_its_coordinate_and_varies_the_others(sampler):
    x = BOX.face(1, "upper").sample(49, seed=0, sampler=sampler)
    assert x.shape == (49, 3)
    assert np.all(x[:, 1] == 3.0)
    assert np.all(np.ptp(x[:, [0, 2]], axis=0) > [1.6, 0.4])


def test_a_grid_takes_the_largest_power_that_fits():
    assert len(BOX.sample(215, seed=0, sampler=sl.SAMPLERS["grid"])) == 125


def test_a_latin_hypercube_has_one_point_in_each_part_of_an_axis():
    x = sl.Box([0, 0, 0], [1, 1, 1]).sample(50, seed=0, sampler=sl.SAMPLERS["latin"])
    assert np.array_equal(np.sort(np.floor(50 * x), axis=0), np.tile(np.arange(50.0)[:, None], 3))


def test_seed_decides_the_random_points():
    for name in ("uniform", "sobol", "latin"):
        first, again, other = (BOX.sample(20, seed=seed, sampler=sl.SAMPLERS[name]) for seed in (1, 1, 2))
        assert np.array_equal(first, again)
        assert not np.any(first == other)


def test_measures_are_volume_and_areas():
    assert BOX.measure == pytest.approx(3.0)
    assert BOX.face(0, "lower").measure == pytest.approx(1.5)
    assert BOX.boundary.measure == pytest.approx(17.0)


def test_faces_in_one_dimension_are_one_point_each(sampler):
    box = sl.Box([-1.0], [4.0])
    assert (box.boundary.measure, box.boundary.capacity, box.face(0, "lower").capacity, box.capacity) == (2.0, 2, 1, None)
    assert box.boundary.sample(100, seed=0, sampler=sampler).tolist() == [[-1.0], [4.0]]
    assert box.face(0, "upper").sample(100, seed=0, sampler=sampler).tolist() == [[4.0]]


@pytest.mark.parametrize("n", [6, 7, 25])
def test_every_face_gets_a_point_as_soon_as_there_are_as_many(n):
    flat = sl.Box([0.0, 0.0, 0.0], [1.0, 100.0, 1e-6])
    x = flat.boundary.sample(n, seed=0)
    assert len(x) == n
    assert np.all((x == np.array(flat.lower)).sum(axis=0) + (x == np.array(flat.upper)).sum(axis=0) >= 2)


def test_fewer_points_than_faces_fall_on_faces_that_the_seed_chooses():
    drawn = [BOX.boundary.sample(2, seed=seed) for seed in range(30)]
    assert all(x.shape == (2, 3) and np.all(BOX.boundary.contains(x)) for x in drawn)
    x = np.concatenate(drawn)
    assert np.all((x == np.array(BOX.lower)).any(axis=0)) and np.all((x == np.array(BOX.upper)).any(axis=0))


@pytest.mark.parametrize(
    "region", [BOX, BOX.boundary, BOX.face(2, "upper"), Disk(2.0), Disk(2.0).boundary], ids=lambda region: region.name
)
def test_a_region_contains_its_points_and_not_those_outside(region, sampler):
    x = region.sample(100, seed=3, sampler=sampler)
    assert np.all(region.contains(x)) and np.all(region.contains(x.astype(np.float32)))
    assert not np.any(region.contains(x + 10.0))
    assert isinstance(region, sl.Region)


def test_faces_contain_no_points_inside_and_none_beside_them():
    x = np.array([[0.0, 1.0, 2.25], [0.0, 3.0, 2.25], [0.0, 3.0, 2.6], [0.0, 3.0 + 1e-9, 2.25]])
    assert BOX.face(1, "upper").contains(x).tolist() == [False, True, False, False]
    assert BOX.boundary.contains(x).tolist() == [False, True, False, False]
    assert BOX.contains(x).tolist() == [True, True, False, False]


@pytest.mark.parametrize("domain", [BOX, sl.Box([2.0], [3.0]), Disk(0.5)], ids=["box", "interval", "disk"])
def test_a_normal_points_out_of_the_domain_and_has_length_one(domain):
    x = domain.boundary.sample(60, seed=0, sampler=UNIFORM)
    normals = np.asarray(jax.vmap(domain.boundary.normal)(jnp.asarray(x)))
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, rtol=1e-12)
    assert np.all(domain.contains(x - 1e-3 * normals)) and not np.any(domain.contains(x + 1e-3 * normals))


def test_a_point_is_as_far_from_the_surface_of_a_box_as_from_its_nearest_point():
    x, near = np.array([[0.0, 1.0, 2.2], [2.0, 4.0, 2.25], [0.9, 3.0, 2.25]]), BOX.boundary.sample(40000, seed=0, sampler=UNIFORM)
    expected = np.min(np.linalg.norm(x[:, None] - near, axis=2), axis=1)
    np.testing.assert_allclose(jax.vmap(BOX.boundary.distance)(jnp.asarray(x)), expected, atol=0.05)
    assert BOX.face(0, "upper").distance(jnp.array([-1.0, 1.0, 2.25])) == 2


def test_a_normal_keeps_the_type_of_its_point():
    for region in (BOX.boundary, BOX.face(0, "lower")):
        assert jax.jit(region.normal)(jnp.array([-1.0, 1.0, 2.1], jnp.float32)).dtype == jnp.float32
    assert BOX.face(0, "lower").normal(jnp.array([-1.0, 1.0, 2.1])).tolist() == [-1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "lower, upper, text",
    [
        ([0, 0], [1], "two corners of one length"),
        ([], [], "two corners of one length"),
        ([0, 1], [1, 1], "finite lower < upper"),
        ([2], [1], "finite lower < upper"),
        ([0], [np.nan], "finite lower < upper"),
        ([0], [np.inf], "finite lower < upper"),
        ("0", "1", "a corner of a box is a list of numbers, not '0'"),
        (["a"], ["b"], r"not \['a'\]: write sl.Box"),
        ([True], [2], r"not \[True\]"),
        ([1j], [2], "list of numbers"),
        ({0: 1}, {0: 2}, "list of numbers"),
        ([[0, 1], [0, 1]], [1, 1], "list of numbers"),
        ([[0], [0, 1]], [1, 1], "list of numbers"),
        (None, 1, "list of numbers, not None"),
    ],
)
def test_bad_boxes_are_refused(lower, upper, text):
    with pytest.raises(sl.InputError, match=text):
        sl.Box(lower, upper)


def test_corners_may_be_numbers_and_arrays():
    expected = sl.Box([0.0], [2.0])
    for lower, upper in ((0, 2), (np.int64(0), np.float32(2)), (np.zeros(1), np.array([2])), (jnp.zeros(1), [jnp.array(2.0)])):
        assert sl.Box(lower, upper) == expected


@pytest.mark.parametrize(
    "axis, side", [(3, "lower"), (-1, "lower"), (0, "left"), (True, "lower"), ("0", "lower"), (0.5, "lower")]
)
def test_a_region_that_the_box_lacks_is_refused(axis, side):
    with pytest.raises(sl.InputError, match="is no region of a 3-dimensional box: use a face with axis 0 to 2"):
        BOX.face(axis, side)


def numbers(seed):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    "sampler, text",
    [
        (lambda n, dim, seed: numbers(seed).random(n), r"returned shape \(8,\): \(m, 3\) is asked for, with m from 1 to 8"),
        (lambda n, dim, seed: numbers(seed).random((dim, n)), r"returned shape \(3, 8\)"),
        (lambda n, dim, seed: numbers(seed).random((2 * n, dim)), r"returned shape \(16, 3\)"),
        (lambda n, dim, seed: np.empty((0, dim)), r"returned shape \(0, 3\)"),
        (lambda n, dim, seed: 5 * np.ones((n, dim)), "returned values from 5 to 5: draw in the unit cube"),
        (lambda n, dim, seed: np.full((n, dim), np.nan), "returned values from nan to nan"),
        (lambda n, dim, seed: None, "what the sampler <lambda> returned = None is not an array of real numbers"),
        (lambda n, dim, seed: "points", "what the sampler <lambda> returned = 'points' is not an array of real numbers"),
        (lambda n, dim: np.ones((n, dim)), r"sampler = <lambda> is not a function of \(n, dim, seed\)"),
        ("sobol", "sampler = 'sobol' is not a function .*: take one of sl.SAMPLERS"),
        (None, "sampler = None is not a function"),
    ],
)
def test_a_sampler_that_returns_something_else_is_named(sampler, text):
    with pytest.raises(sl.InputError, match=text):
        BOX.sample(8, seed=0, sampler=sampler)


@pytest.mark.parametrize("region", [BOX, BOX.boundary, BOX.face(0, "lower"), sl.Box([0], [1]).boundary], ids=lambda r: r.name)
@pytest.mark.parametrize("n", [0, -1, None, 2.5])
def test_a_number_of_points_is_whole_and_positive(region, n):
    with pytest.raises(sl.InputError, match="n = .* is not a whole number of at least 1"):
        region.sample(n, seed=0)
