import numpy as np
import pytest

import sketchlab as sl
from sketchlab.domains import BOUNDARY, INTERIOR

BOX = sl.Box([-1.0, 0.0, 2.0], [1.0, 3.0, 2.5])


@pytest.fixture(params=list(sl.SAMPLERS))
def sampler(request):
    return sl.SAMPLERS[request.param]


def test_interior_points_lie_inside_and_fill_every_axis(sampler):
    x = BOX.sample(INTERIOR, 216, seed=0, sampler=sampler)
    assert x.shape == (216, 3)
    assert np.all(x > BOX.lower) and np.all(x < BOX.upper)
    assert np.all(np.ptp(x, axis=0) > 0.8 * BOX.lengths)


def test_boundary_points_lie_on_faces_and_share_them_by_area(sampler):
    n = 500
    x = BOX.sample(BOUNDARY, n, seed=0, sampler=sampler)
    lower, upper = x == np.array(BOX.lower), x == np.array(BOX.upper)
    assert np.all((lower | upper).sum(axis=1) == 1)
    assert np.all((x >= BOX.lower) & (x <= BOX.upper))
    if sampler is not sl.SAMPLERS["grid"]:
        areas = np.array([1.5, 1.0, 6.0])
        assert len(x) == n
        np.testing.assert_allclose(lower.sum(axis=0), n * areas / 17, atol=1)
        np.testing.assert_allclose(upper.sum(axis=0), n * areas / 17, atol=1)


def test_one_face_holds_its_coordinate_and_varies_the_others(sampler):
    x = BOX.sample(sl.Face(1, "upper"), 49, seed=0, sampler=sampler)
    assert x.shape == (49, 3)
    assert np.all(x[:, 1] == 3.0)
    assert np.all(np.ptp(x[:, [0, 2]], axis=0) > [1.6, 0.4])


def test_a_grid_takes_the_largest_power_that_fits():
    assert len(BOX.sample(INTERIOR, 215, seed=0, sampler=sl.SAMPLERS["grid"])) == 125


def test_seed_decides_the_random_points():
    for name in ("uniform", "sobol"):
        first, again, other = (BOX.sample(INTERIOR, 20, seed=seed, sampler=sl.SAMPLERS[name]) for seed in (1, 1, 2))
        assert np.array_equal(first, again)
        assert not np.any(first == other)


def test_measures_are_volume_and_areas():
    assert BOX.measure(INTERIOR) == pytest.approx(3.0)
    assert BOX.measure(sl.Face(0, "lower")) == pytest.approx(1.5)
    assert BOX.measure(BOUNDARY) == pytest.approx(17.0)


def test_faces_in_one_dimension_are_one_point_each(sampler):
    box = sl.Box([-1.0], [4.0])
    assert box.measure(BOUNDARY) == 2.0
    assert box.sample(BOUNDARY, 100, seed=0, sampler=sampler).tolist() == [[-1.0], [4.0]]
    assert box.sample(sl.Face(0, "upper"), 100, seed=0, sampler=sampler).tolist() == [[4.0]]


def test_every_face_gets_a_point_however_few_there_are():
    assert len(BOX.sample(BOUNDARY, 1, seed=0)) == 6


@pytest.mark.parametrize(
    "lower, upper, text",
    [
        ([0, 0], [1], "two corners of one length"),
        ([], [], "two corners of one length"),
        ([0, 1], [1, 1], "finite lower < upper"),
        ([2], [1], "finite lower < upper"),
        ([0], [np.nan], "finite lower < upper"),
        ([0], [np.inf], "finite lower < upper"),
    ],
)
def test_bad_boxes_are_refused(lower, upper, text):
    with pytest.raises(sl.InputError, match=text):
        sl.Box(lower, upper)


@pytest.mark.parametrize("region", [sl.Face(3, "lower"), sl.Face(-1, "lower"), sl.Face(0, "left"), "outside"])
def test_a_region_that_the_box_lacks_is_refused(region):
    with pytest.raises(sl.InputError, match="is no region of a 3-dimensional box: use a face with axis 0 to 2"):
        BOX.faces(region)
