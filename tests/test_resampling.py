import numpy as np
import pytest

import sketchlab as sl

UNIFORM = sl.SAMPLERS["uniform"]
LINE = sl.PROBLEMS["poisson_1d"]()


def draw(resampling, points, sizes, problem=LINE, sampler=UNIFORM, seed=1):
    return resampling.draw(problem, points, sizes, seed=seed, sampler=sampler)


def steep(points):
    return [np.where(x[:, 0] > 0.8, 100.0, 1.0) for x in points]


def test_residual_adaptive_points_gather_where_the_residual_is_large():
    def share(**options):
        return np.mean(draw(sl.residual_adaptive(**options), [500, 2], steep)[0] > 0.8)

    # Densities 100 / 20.8 + 1 on a fifth of the interval, 1 / 20.8 + 1 on the rest, drawn from ten times as many without return.
    assert share() == pytest.approx(0.55, abs=0.07)
    assert share(floor=0.0) > 0.8
    assert share(power=0.0) == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_residual_that_is_non_finite_or_zero_draws_evenly(value):
    x = draw(sl.residual_adaptive(), [400, 2], lambda points: [np.full(len(x), value) for x in points])[0]
    assert np.mean(x) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("small", [0.0, 1e-5, 1e-300])
def test_few_points_of_a_density_above_zero_are_all_taken_and_the_rest_evenly(small):
    seen = []

    def sizes(points):
        seen.append(points[0][:, 0])
        return [np.where(x[:, 0] > 0.99, 1.0, small) for x in points]

    x = draw(sl.residual_adaptive(floor=0.0, power=100.0), [50, 2], sizes)[0][:, 0]
    large = seen[0][seen[0] > 0.99]
    assert len(x) == 50 == len(set(x)) and 0 < len(large) < 50
    assert set(large) <= set(x)
    assert np.mean(x[x <= 0.99]) == pytest.approx(0.5, abs=0.12)


def test_large_powers_do_not_overflow():
    assert np.mean(draw(sl.residual_adaptive(power=400.0), [500, 2], steep)[0] > 0.8) > 0.5


@pytest.mark.parametrize("name", sl.RESAMPLINGS)
@pytest.mark.parametrize("sampler", sl.SAMPLERS)
@pytest.mark.parametrize("points", [7, 25, 101, [20, 5], [30, 47]])
def test_new_points_are_as_many_as_the_first_on_an_uneven_box(name, sampler, points):
    for lengths in ([1.0, 10.0], [1.0, 2.0, 30.0]):
        problem = sl.Problem("uneven", sl.Box([0.0] * len(lengths), lengths), sl.PROBLEMS["poisson_2d"]().conditions)
        first = problem.sample(points, seed=0, sampler=sl.SAMPLERS[sampler])
        new = draw(sl.RESAMPLINGS[name](1), points, lambda drawn: [1 + x[:, 0] for x in drawn], problem, sl.SAMPLERS[sampler])
        assert [x.shape for x in new] == [x.shape for x in first]


def test_settings_hold_numbers_of_python():
    assert type(sl.redraw(np.int64(2)).period) is int
    settings = sl.residual_adaptive(np.int64(2), power=np.float32(1), floor=1, pool=np.int64(3)).settings
    assert [type(value) for value in settings.values()] == [int, float, float, int]


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: sl.redraw(0), "period = 0"),
        (lambda: sl.residual_adaptive(1.5), "period = 1.5"),
        (lambda: sl.residual_adaptive(power=-1.0), "power = -1.0"),
        (lambda: sl.residual_adaptive(floor=float("nan")), "floor = nan"),
        (lambda: sl.residual_adaptive(pool=1), "pool = 1 is not a whole number between 2 and 1000"),
        (lambda: sl.RESAMPLINGS["radd"], "unknown resampling 'radd'. Did you mean 'rad'"),
    ],
)
def test_bad_resamplings_are_named(make, text):
    with pytest.raises(sl.InputError, match=text):
        make()
