"""Domains that are no boxes: each against formulas and curves written out by hand."""

import dataclasses
import pickle
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import Disk

import sketchlab as sl

GRID = sl.SAMPLERS["grid"]
SOBOL = sl.SAMPLERS["sobol"]


def arc(center, radius, first=0.0, last=2 * np.pi):
    """A piece of a circle as a function of t in (0, 1), with its length."""
    return (
        lambda t: center + radius * np.stack([np.cos(first + t * (last - first)), np.sin(first + t * (last - first))], axis=1),
        radius * (last - first),
    )


def path(*vertices, closed=True):
    """The sides between vertices as such pieces."""
    vertices = np.array(vertices, float)
    ends = np.roll(vertices, -1, axis=0) if closed else vertices[1:]
    return [
        (lambda t, p=p, q=q: p + t[:, None] * (q - p), float(np.linalg.norm(q - p))) for p, q in zip(vertices, ends, strict=False)
    ]


@dataclass(frozen=True)
class Case:
    """A domain of the plane, with a description of it that shares no code: a test of points inside, area, pieces of boundary."""

    domain: sl.Domain
    inside: object
    area: float
    curves: list


def within(center, radius):
    return lambda x: np.sum((x - np.array(center)) ** 2, axis=1) < radius**2


def between(lower, upper):
    return lambda x: np.all((x > lower) & (x < upper), axis=1)


def both(first, second):
    return lambda x: first(x) & second(x)


def without(first, second):
    return lambda x: first(x) & ~second(x)


def either(first, second):
    return lambda x: first(x) | second(x)


SQUARE = sl.Box([0, 0], [2, 2])
IN_SQUARE = between([0, 0], [2, 2])
L = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]
IN_L = without(IN_SQUARE, between([1, 1], [3, 3]))
KITE = [(0.5, 0), (0, 1), (2, 3), (1, 0.5)]
COMB = [(0, 0), (3, 0), (3, 2), (2, 2), (2, 1), (1, 1), (1, 2), (0, 2)]


def in_kite(x):
    x, y = x.T
    left, upper = y > 1 - 2 * x, y < 1 + x
    return left & upper & np.where(x < 1, y > np.minimum(x - 0.5, 10.0), y > 0.5 + 2.5 * (x - 1))


CASES = {
    "disk": Case(sl.Ball([1, -2], 1.5), within([1, -2], 1.5), np.pi * 2.25, [arc([1, -2], 1.5)]),
    "kite": Case(sl.Polygon(KITE), in_kite, 1.875, path(*KITE)),
    "L of a polygon": Case(sl.Polygon(L), IN_L, 3.0, path(*L)),
    "comb": Case(sl.Polygon(COMB), without(between([0, 0], [3, 2]), between([1, 1], [2, 3])), 5.0, path(*COMB)),
    "L cut out": Case(sl.Difference(SQUARE, sl.Box([1, 1], [2, 2])), IN_L, 3.0, path(*L)),
    "L cut out with room": Case(sl.Difference(SQUARE, sl.Box([1, 1], [3, 4])), IN_L, 3.0, path(*L)),
    "L glued": Case(sl.Union(sl.Box([0, 0], [1, 2]), sl.Box([1, 0], [2, 1])), IN_L, 3.0, path(*L)),
    "L overlapping": Case(sl.Union(sl.Box([0, 0], [1, 2]), sl.Box([0, 0], [2, 1])), IN_L, 3.0, path(*L)),
    "square of two triangles": Case(
        sl.Union(sl.Polygon([[0, 0], [2, 0], [0, 2]]), sl.Polygon([[2, 0], [0, 2], [2, 2]])),
        IN_SQUARE,
        4.0,
        path((0, 0), (2, 0), (2, 2), (0, 2)),
    ),
    "plate with a hole": Case(
        sl.Difference(SQUARE, sl.Ball([0.7, 1.2], 0.5)),
        without(IN_SQUARE, within([0.7, 1.2], 0.5)),
        4 - np.pi / 4,
        [*path((0, 0), (2, 0), (2, 2), (0, 2)), arc([0.7, 1.2], 0.5)],
    ),
    "ring": Case(
        sl.Difference(sl.Ball([0, 0], 2), Disk(1.0)),
        without(within([0, 0], 2), within([0, 0], 1)),
        3 * np.pi,
        [arc([0, 0], 2), arc([0, 0], 1)],
    ),
    "half disk": Case(
        sl.Difference(sl.Ball([0, 0], 1), sl.Box([0, -2], [2, 2])),
        both(within([0, 0], 1), between([-2, -2], [0, 2])),
        np.pi / 2,
        [arc([0, 0], 1, np.pi / 2, 3 * np.pi / 2), *path((0, -1), (0, 1), closed=False)],
    ),
    "stadium": Case(
        sl.Union(sl.Box([0, 0], [2, 1]), sl.Ball([2, 0.5], 0.5)),
        either(between([0, 0], [2, 1]), within([2, 0.5], 0.5)),
        2 + np.pi / 8,
        [*path((2, 1), (0, 1), (0, 0), (2, 0), closed=False), arc([2, 0.5], 0.5, -np.pi / 2, np.pi / 2)],
    ),
    "two disks": Case(
        sl.Union(sl.Ball([0, 0], 1), sl.Ball([1, 0], 1)),
        either(within([0, 0], 1), within([1, 0], 1)),
        2 * np.pi - (2 * np.pi / 3 - np.sqrt(3) / 2),
        [arc([0, 0], 1, np.pi / 3, 5 * np.pi / 3), arc([1, 0], 1, -2 * np.pi / 3, 2 * np.pi / 3)],
    ),
    "two holes": Case(
        sl.Difference(sl.Difference(sl.Box([0, 0], [2, 1]), sl.Ball([0.5, 0.5], 0.2)), sl.Ball([1.5, 0.5], 0.3)),
        without(without(between([0, 0], [2, 1]), within([0.5, 0.5], 0.2)), within([1.5, 0.5], 0.3)),
        2 - np.pi * 0.13,
        [*path((0, 0), (2, 0), (2, 1), (0, 1)), arc([0.5, 0.5], 0.2), arc([1.5, 0.5], 0.3)],
    ),
    "hole in a union": Case(
        sl.Difference(sl.Union(sl.Box([0, 0], [1, 2]), sl.Box([1, 0], [2, 2])), sl.Ball([1, 1], 0.5)),
        without(IN_SQUARE, within([1, 1], 0.5)),
        4 - np.pi / 4,
        [*path((0, 0), (2, 0), (2, 2), (0, 2)), arc([1, 1], 0.5)],
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(params=list(sl.SAMPLERS))
def sampler(request):
    return sl.SAMPLERS[request.param]


def normals(region, x):
    return np.asarray(jax.jit(jax.vmap(region.normal))(jnp.asarray(x)))


def moments(x):
    return np.concatenate([x, x**2, x[:, :1] * x[:, 1:]], axis=1)


def assert_even(x, everywhere, weights):
    """Compare moments with those of weighted points that lie everywhere, within four standard errors of uniform points."""
    expected = np.average(moments(everywhere), axis=0, weights=weights)
    spread = np.sqrt(np.average((moments(everywhere) - expected) ** 2, axis=0, weights=weights))
    assert np.all(np.abs(moments(x).mean(axis=0) - expected) <= 4 * spread / np.sqrt(len(x)) + 1e-3)


def lattice(domain, per_axis=600):
    # Not quite in the middle of each cell, so that no point lies on a side.
    middles = (np.arange(per_axis) + 0.4641) / per_axis
    plane = np.stack(np.meshgrid(middles, middles, indexing="ij"), axis=-1).reshape(-1, 2)
    return domain.lower + plane * np.subtract(domain.upper, domain.lower)


def test_points_inside_are_as_many_as_wanted_and_even(case, sampler):
    x = case.domain.sample(1000, seed=3, sampler=sampler)
    assert x.shape[1] == 2 and len(x) <= 1000 and len(x) >= (900 if sampler is GRID else 1000)
    assert np.all(case.inside(x)) and np.all(case.domain.contains(x)) and np.all(case.domain.contains(x.astype(np.float32)))
    everywhere = lattice(case.domain)
    assert_even(x, everywhere[case.inside(everywhere)], None)


def test_points_on_the_boundary_are_as_many_as_wanted_and_even_by_length(case, sampler):
    region = case.domain.boundary
    x = region.sample(500, seed=4, sampler=sampler)
    assert len(x) <= 500 and len(x) >= (490 if sampler is GRID else 500)
    assert np.all(region.contains(x)) and np.all(region.contains(x.astype(np.float32))) and np.all(case.domain.contains(x))
    t = (np.arange(1000) + 0.5) / 1000
    everywhere = [curve(t) for curve, _ in case.curves]
    assert_even(x, np.concatenate(everywhere), np.repeat([length / len(t) for _, length in case.curves], len(t)))


def test_areas_and_lengths_are_those_of_formulas(case):
    assert case.domain.measure == pytest.approx(case.area, rel=1e-3)
    assert case.domain.boundary.measure == pytest.approx(sum(length for _, length in case.curves), rel=1e-3)


def test_a_domain_contains_the_points_inside_and_its_boundary_only(case):
    x = lattice(case.domain, 101)
    assert np.array_equal(case.domain.contains(x), case.inside(x))
    assert not np.any(case.domain.boundary.contains(x[case.inside(x)]))
    t = np.linspace(0, 1, 17)[1:-1]
    for curve, _ in case.curves:
        assert np.all(case.domain.contains(curve(t))) and np.all(case.domain.boundary.contains(curve(t)))


def test_normals_have_length_one_and_point_out(case):
    x = case.domain.boundary.sample(200, seed=5, sampler=SOBOL)
    n = normals(case.domain.boundary, x)
    np.testing.assert_allclose(np.linalg.norm(n, axis=1), 1, rtol=1e-12)
    # An own disk of the tests is generous by 1e-6.
    assert np.all(case.inside(x - 1e-5 * n)) and not np.any(case.inside(x + 1e-5 * n))
    assert np.all(case.domain.contains(x - 1e-5 * n)) and not np.any(case.domain.contains(x + 1e-5 * n))


def test_domains_are_values(case):
    again = pickle.loads(pickle.dumps(case.domain))
    assert again == case.domain and hash(again) == hash(case.domain)
    assert again.boundary == case.domain.boundary and hash(again.boundary) == hash(case.domain.boundary)
    assert isinstance(case.domain, sl.Domain) and isinstance(case.domain.boundary, sl.Region)
    x = case.domain.boundary.sample(50, seed=0, sampler=SOBOL)
    assert np.array_equal(x, again.boundary.sample(50, seed=0, sampler=SOBOL))
    assert not np.array_equal(x, case.domain.boundary.sample(50, seed=1, sampler=SOBOL))


@pytest.mark.parametrize("name", ["sobol", "latin"])
def test_points_stay_more_even_than_chance(case, name):
    everywhere = lattice(case.domain, 300)
    everywhere = everywhere[case.inside(everywhere)]
    drawn = [case.domain.sample(500, seed=seed, sampler=sl.SAMPLERS[name]) for seed in range(6)]
    errors = [(x.mean(axis=0) - everywhere.mean(axis=0)) * np.sqrt(len(x)) / everywhere.std(axis=0) for x in drawn]
    # Uniform points have 1 here.
    assert np.all(np.sqrt(np.mean(np.square(errors), axis=0)) < (0.25 if name == "sobol" else 0.8))


@pytest.mark.parametrize("name", sl.RESAMPLINGS)
def test_new_points_are_as_many_as_the_first(case, sampler, name):
    problem = sl.Problem("shape", case.domain, sl.PROBLEMS["poisson_2d"]().conditions)
    for points in (7, [20, 9]):
        first = problem.sample(points, seed=0, sampler=sampler)
        draw = sl.RESAMPLINGS[name](1).draw
        new = draw(problem, points, lambda drawn: [1 + x[:, 0] ** 2 for x in drawn], seed=1, sampler=sampler)
        assert [x.shape for x in new] == [x.shape for x in first]
        assert all(np.all(region.contains(x)) for region, x in zip(problem.regions, new, strict=True))


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_balls_of_every_dimension_are_filled_evenly(dim, sampler):
    ball = sl.Ball(np.arange(dim), 2.0)
    inside = (ball.sample(4000, seed=0, sampler=sampler) - np.arange(dim)) / 2
    around = (ball.boundary.sample(4000, seed=0, sampler=sampler) - np.arange(dim)) / 2
    np.testing.assert_allclose(np.linalg.norm(around, axis=1), 1, rtol=1e-12)
    for x, power in ((inside, 1 / (dim + 2)), (around, 1 / dim)):
        # The second moments are those of the uniform distribution; a grid of few points an axis has more error.
        rough = 0.1 if sampler is GRID and dim == 5 else 0.03
        np.testing.assert_allclose(x.T @ x / len(x), np.eye(dim) * power, atol=rough)
        np.testing.assert_allclose(x.mean(axis=0), 0, atol=0.05)
    volumes = {2: np.pi * 4, 3: 4 / 3 * np.pi * 8, 5: 8 * np.pi**2 / 15 * 32}
    assert ball.measure == pytest.approx(volumes[dim])
    assert ball.boundary.measure == pytest.approx(dim * volumes[dim] / 2)
    assert (ball.lower[-1], ball.upper[0]) == (dim - 3.0, 2.0)


def test_solids_combine_too(sampler):
    corner = sl.Difference(sl.Box([0, 0, 0], [1, 1, 1]), sl.Ball([1, 1, 1], 0.5))
    assert corner.measure == pytest.approx(1 - np.pi / 48, rel=1e-3)
    cut, hole = corner.parts
    assert cut.measure == pytest.approx(6 - 3 * np.pi / 16, rel=1e-3) and hole.measure == pytest.approx(np.pi / 8, rel=1e-3)
    x, y = corner.sample(300, seed=0, sampler=sampler), corner.boundary.sample(300, seed=0, sampler=sampler)
    for points in (x, y):
        assert np.all(np.linalg.norm(points - 1, axis=1) > 0.5 - 1e-9) and np.all((points >= 0) & (points <= 1))
    n = normals(corner.boundary, y)
    assert np.all(corner.contains(y - 1e-6 * n)) and not np.any(corner.contains(y + 1e-6 * n))


@pytest.mark.parametrize(
    "domain, ends, length",
    [
        (sl.Difference(sl.Box(0, 1), sl.Box(0.4, 0.6)), [0, 0.4, 0.6, 1], 0.8),
        (sl.Difference(sl.Box(0, 1), sl.Box(0.5, 1)), [0, 0.5], 0.5),
        (sl.Union(sl.Box(0, 1), sl.Box(1, 2)), [0, 2], 2),
        (sl.Union(sl.Box(0, 1), sl.Box(2, 4)), [0, 1, 2, 4], 3),
        (sl.Union(sl.Box(0, 1), sl.Box(0.1 + 0.2, 0.5)), [0, 1], 1),
    ],
)
def test_intervals_combine_to_intervals_with_ends(domain, ends, length, sampler):
    x = domain.boundary.sample(100, seed=0, sampler=sampler)
    assert sorted(x[:, 0]) == ends and domain.boundary.capacity == domain.boundary.measure == len(ends)
    assert domain.measure == pytest.approx(length) and len(domain.sample(50, seed=0, sampler=sampler)) == 50
    n = normals(domain.boundary, x)
    assert np.all(domain.contains(x - 1e-6 * n)) and not np.any(domain.contains(x + 1e-6 * n))
    assert len(domain.boundary.sample(1, seed=0)) == 1


def test_single_points_fall_on_both_pieces_of_a_union():
    apart = sl.Union(sl.Box([0, 0], [1, 1]), sl.Box([5, 0], [6, 1]))
    for region in (apart, apart.boundary):
        x = np.concatenate([region.sample(1, seed=seed) for seed in range(30)])
        assert len(x) == 30 and 5 < np.sum(x[:, 0] > 2) < 25


def test_parts_are_the_boundaries_of_the_operands_in_their_order():
    plate, holes = CASES["two holes"].domain, [([0.5, 0.5], 0.2), ([1.5, 0.5], 0.3)]
    outer, *inner = plate.parts
    assert outer.measure == pytest.approx(6)
    for i, (part, (center, radius)) in enumerate(zip(inner, holes, strict=True), 1):
        x = part.sample(40, seed=0)
        assert part.measure == pytest.approx(2 * np.pi * radius) and part.name == f"part {i} of the boundary"
        np.testing.assert_allclose(np.linalg.norm(x - center, axis=1), radius)
        np.testing.assert_allclose(normals(part, x), (center - x) / radius, atol=1e-9)
    assert sum(part.measure for part in plate.parts) == pytest.approx(plate.boundary.measure)


def test_sides_of_a_polygon_are_regions():
    for vertices in (L, L[::-1]):
        polygon = sl.Polygon(vertices)
        for i, (start, end) in enumerate(zip(vertices, [*vertices[1:], vertices[0]], strict=True)):
            side, middle = polygon.side(i), np.add(start, end) / 2
            assert side.measure == np.linalg.norm(np.subtract(end, start)) and side.name == f"side {i}"
            assert side.contains([middle, start, end, middle + 0.1]).tolist() == [True, True, True, False]
            n = normals(side, middle[None])[0]
            assert not polygon.contains([middle + 1e-6 * n])[0] and polygon.contains([middle - 1e-6 * n])[0]
            np.testing.assert_allclose(side.sample(4, seed=0, sampler=GRID), np.linspace(start, end, 9)[1::2])


@pytest.mark.parametrize("turn", [0.0, 0.1, 1.0, 2.0])
@pytest.mark.parametrize("far", [0.0, 1e4])
def test_a_polygon_of_many_sides_is_sampled_evenly_wherever_it_lies(turn, far):
    angles = turn + np.linspace(0, 2 * np.pi, 200, endpoint=False)
    radii = 1 + 0.5 * np.cos(5 * (angles - turn))
    polygon = sl.Polygon(far + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    # A star of r = 1 + cos(5 φ) / 2, up to its corners.
    assert polygon.measure == pytest.approx(np.pi * 1.125, rel=1e-2)
    x = polygon.sample(2000, seed=0, sampler=SOBOL) - far
    assert np.all(polygon.contains(x + far)) and not np.any(np.isnan(x))
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(x.T @ x / len(x), np.eye(2) * np.mean(radii**4) / 4 / np.mean(radii**2), atol=0.01)


def test_a_gap_of_rounding_between_two_boxes_leaves_no_boundary_inside():
    for gap in (0.0, 1e-13, -1e-13):
        joined = sl.Union(sl.Box([0, 0], [1, 1]), sl.Box([1 + gap, 0], [2, 1]))
        assert joined.boundary.measure == pytest.approx(6, rel=1e-3)
        cut = sl.Difference(sl.Box([0, 0], [2, 1]), sl.Box([1, 0], [2 - gap, 1 + gap]))
        assert cut.boundary.measure == pytest.approx(4, rel=1e-3)


def test_what_an_operand_does_not_change_is_the_other():
    square, disk = sl.Box([0, 0], [1, 1]), sl.Ball([0.5, 0.5], 0.2)
    for same in (
        sl.Union(square, disk),
        sl.Union(disk, square),
        sl.Union(square, square),
        sl.Difference(square, sl.Ball([3, 3], 1)),
    ):
        assert same.measure == 1 and same.boundary.measure == pytest.approx(4)
        assert len(same.sample(30, seed=0)) == 30 == len(same.boundary.sample(30, seed=0))
    with pytest.raises(sl.InputError, match="part 1 of the boundary is empty: nothing is left there of Sphere"):
        sl.Union(square, disk).parts[1].sample(10, seed=0)


def test_a_side_along_a_seam_has_a_normal_or_says_that_it_has_none():
    wide = sl.Union(sl.Box([1, 0], [2, 1]), sl.Box([0, 0], [1, 1]))
    for hole, found in ((sl.Box([1, 0.25], [1.5, 0.75]), False), (sl.Box([0.5, 0.25], [1.5, 0.75]), True)):
        domain = sl.Difference(wide, hole)
        assert domain.boundary.measure == pytest.approx(6 + hole.boundary.measure, rel=1e-3)
        x = jnp.asarray(domain.boundary.sample(100, seed=0))
        if found:
            assert not np.any(domain.contains(np.asarray(x) + 1e-6 * normals(domain.boundary, x)))
        else:
            with pytest.raises(sl.InputError, match="part 2 of the boundary runs along a side that is boundary no longer"):
                domain.boundary.normal(x[0])
            hole_points = domain.parts[2].sample(100, seed=0)
            assert not np.any(domain.contains(hole_points + 1e-6 * normals(domain.parts[2], hole_points)))


@dataclass(frozen=True)
class Nameless:
    """A circle that does not tell its distance."""

    circle: object = Disk(1.0).boundary

    def __getattr__(self, name):
        if name == "distance" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.circle, name)


@dataclass(frozen=True)
class Undistanced(Disk):
    boundary = Nameless()


def test_a_boundary_without_a_distance_has_normals_on_its_parts_only():
    ring = sl.Difference(sl.Ball([0, 0], 2.0), Undistanced(1.0))
    assert normals(ring.parts[1], [[0.0, 1.0]]).tolist() == [[0.0, -1.0]]
    with pytest.raises(sl.InputError, match="Nameless has no distance"):
        ring.boundary.normal(jnp.array([0.0, 1.0]))


def test_a_sampler_that_misses_the_domain_is_named():
    with pytest.raises(sl.InputError, match="0 of .* points of the sampler lie in the domain: it must fill the unit cube"):
        sl.Difference(SQUARE, sl.Ball([1, 1], 0.5)).sample(5, seed=0, sampler=lambda n, dim, seed: np.full((n, dim), 0.5))


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: sl.Ball([0.0], 1.0), r"center = \[0.0\] has 1 coordinates: a ball in one dimension is sl.Box"),
        (lambda: sl.Ball([0.0, 0.0], 0.0), "radius = 0.0 is not a number in"),
        (lambda: sl.Ball([0.0, 0.0], np.inf), "radius = inf"),
        (lambda: sl.Ball([0.0, np.nan], 1), "center = .* is not a list of finite numbers"),
        (lambda: sl.Ball(0.0, 1), "center = 0.0 is not a list"),
        (lambda: sl.Ball("ab", 1), "center = 'ab' is not an array of real numbers"),
        (lambda: sl.Ball([0, 0]), "Write Ball"),
        (lambda: sl.Polygon([[0, 0], [1, 0]]), r"vertices = \[\[0, 0\], \[1, 0\]\] are not three or more pairs"),
        (lambda: sl.Polygon([[0, 0, 0]] * 3), "are not three or more pairs"),
        (lambda: sl.Polygon([[0, 0], [1, 0], [np.inf, 1]]), "are not three or more pairs"),
        (lambda: sl.Polygon([[0, 0], [1, 0], [1, 0], [0, 1]]), r"side 1 of the polygon, at \(1.0, 0.0\), has length zero"),
        (
            lambda: sl.Polygon([[0, 0], [1, 1], [1, 0], [0, 1]]),
            "sides 0 and 2 of the polygon meet: list its vertices",
        ),
        (lambda: sl.Polygon([[0, 0], [2, 0], [1, 0], [1, 1]]), "sides 0 and 1 of the polygon meet"),
        (lambda: sl.Polygon([[0, 0], [1, 0], [2, 0]]), "sides [01] and [12] of the polygon meet"),
        (lambda: sl.Polygon([[0, 0], [2, 0], [2, 2], [1, 0], [0, 2]]), "sides 0 and 2 of the polygon meet"),
        (lambda: sl.Polygon(L).side(6), "i = 6 is not a whole number between 0 and 5"),
        (lambda: sl.Union(SQUARE, sl.Box(0, 1)), "a has 2 dimensions and b has 1: only domains of one dimension combine"),
        (lambda: sl.Union(SQUARE, sl.Box), "b = <class .*Box'> is no Domain"),
        (lambda: sl.Union(SQUARE, SQUARE.boundary), "b = BoxSurface.* is no Domain"),
        (lambda: sl.Union(None, SQUARE), "a = None is no Domain: give one, as sl.Box"),
        (lambda: sl.Union(SQUARE, sl.Box([1e6, 0], [1e6 + 1, 1])), "fill less than 0.0001 of the box around them"),
        (lambda: sl.Difference(SQUARE, sl.Ball([1, 1], 3)), "nothing is left of Box.* without Ball"),
        (lambda: sl.Difference(SQUARE, sl.Box([0, 0], [2, 2 - 1e-7])), "nothing is left .* or less than 0.0001 of it"),
        (lambda: sl.Difference(SQUARE, SQUARE), "nothing is left"),
    ],
)
def test_shapes_that_are_none_are_refused(make, text):
    with pytest.raises(sl.InputError, match=text):
        make()


def wave(x):
    return jnp.sin(2 * x[0]) * jnp.exp(x[1] / 2)


def equation(u, x):
    return sl.laplacian(u)(x) - sl.laplacian(wave)(x)


def value(u, x):
    return u(x) - wave(x)


def flux(u, x, normal):
    return (sl.gradient(u)(x) - sl.gradient(wave)(x)) @ normal


def robin(u, x, normal):
    return value(u, x) + flux(u, x, normal)


PLATE = sl.Difference(sl.Box([-1, -1], [1, 1]), sl.Ball([0, 0], 0.4))
PENTAGON = sl.Polygon([[0, 0], [1, 0], [1.5, 1], [0.5, 1.5], [-0.5, 1]])
POISSON = {
    "disk": (sl.Ball([0, 0], 1), [sl.boundary(value, weight=10.0)]),
    "L": (sl.Polygon(L), [sl.boundary(value, weight=10.0)]),
    "insulated hole": (PLATE, [sl.Condition(value, PLATE.parts[0], weight=10.0), sl.Condition(flux, PLATE.parts[1])]),
    "normals on all parts": (PLATE, [sl.boundary(robin, weight=10.0)]),
    "one side insulated": (
        PENTAGON,
        [*(sl.Condition(value, PENTAGON.side(i), weight=10.0) for i in range(4)), sl.Condition(flux, PENTAGON.side(4))],
    ),
}


@pytest.mark.parametrize("name", POISSON)
def test_an_equation_is_solved_there(name):
    domain, conditions = POISSON[name]
    problem = sl.Problem(name, domain, [sl.interior(equation), *conditions], solution=wave)
    run = sl.train(problem, problem.network(12, 1), sl.natural_gradient(), points=120, steps=100, progress=False)
    # Twelve seeds of each end below 1e-2.
    assert run.history.relative_error[-1] < 0.03


@pytest.mark.parametrize("name", ["comb", "ring", "stadium"])
def test_pictures_leave_a_gap_outside(name):
    case = CASES[name]
    problem = sl.Problem(name, case.domain, [sl.interior(equation), sl.boundary(value)], solution=wave)
    run = sl.train(problem, problem.network(4, 1), sl.natural_gradient(), points=20, steps=1, progress=False)
    box = np.prod(np.subtract(case.domain.upper, case.domain.lower))
    for ax in (sl.plot_solution(run), sl.plot_error(run)):
        drawn = ax.collections[0].get_array()
        assert 1 - np.ma.getmaskarray(drawn).mean() == pytest.approx(case.area / box, abs=0.03)


def test_a_face_that_a_hole_has_cut_is_refused_whole():
    box = sl.Box([0.0, 0.0], [1.0, 1.0])
    domain = sl.Difference(box, sl.Ball([0.0, 0.5], 0.2))
    face = sl.Condition(lambda u, x: u(x), box.face(0, "lower"))
    problem = sl.Problem("bitten", domain, [sl.interior(lambda u, x: sl.laplacian(u)(x)), face])
    with pytest.raises(sl.InputError, match=r"\d+ of the \d+ points of the .* lie outside the domain, x = \[0.0, .*parts"):
        sl.Setup(problem, sl.MLP(2, 4), 100)
    left = dataclasses.replace(problem, conditions=[problem.conditions[0], sl.Condition(lambda u, x: u(x), domain.parts[0])])
    assert sl.Setup(left, sl.MLP(2, 4), 100).rows == 100
