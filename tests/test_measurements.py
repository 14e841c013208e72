"""Measured data as a condition: every measurement is always there, once, with its own weight."""

import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sketchlab as sl
from sketchlab.weights import weighed

X = np.array([[0.1, 0.2], [0.5, 0.9], [0.7, 0.4]])
VALUES, SIGMA = np.array([1.0, -2.0, 3.0]), np.array([0.1, 0.2, 0.4])
BOX = sl.Box([0.0, 0.0], [1.0, 1.0])
NETWORK = sl.MLP(2, 6, 1)


def equation(u, x):
    return sl.laplacian(u)(x)


def slope(u, x):
    return sl.partial(u, 1)(x)


def edge(u, x):
    return u(x)


def measured(*more, values=VALUES, sigma=SIGMA, outputs=1, **options):
    conditions = [sl.interior(equation), sl.data(X, values, sigma=sigma, **options), sl.boundary(edge), *more]
    return sl.Problem("measured", BOX, conditions, outputs=outputs)


def rows(problem, network=NETWORK):
    """Return u at the measured points, and the rows of residual that belong to the data, the second condition."""
    theta = network.init(key=jax.random.key(0))
    least_squares = sl.LeastSquares(problem, network)
    points = tuple(map(jnp.asarray, problem.sample(20, seed=0)))
    first, count = least_squares.heights(points)[:2]
    u, residual = jax.vmap(network.apply, (None, 0))(theta, jnp.asarray(X)), least_squares.residual(theta, points)
    return np.asarray(u), np.asarray(residual)[first : first + count]


def test_the_loss_is_half_the_mean_square_where_precise_values_count_more():
    u, found = rows(measured(weight=3.0))
    precision = 1 / SIGMA**2
    expected = 3.0 * np.sum(precision * (u - VALUES) ** 2) / precision.sum() / 2
    assert np.sum(found**2) / 2 == pytest.approx(expected, rel=1e-13)
    # In units of its standard deviation every measurement has the same factor.
    factors = found / ((u - VALUES) / SIGMA)
    np.testing.assert_allclose(factors, factors[0], rtol=1e-12)


def test_one_factor_in_all_sigma_changes_nothing_but_standard_errors():
    for scale in (1e-3, 7.0):
        np.testing.assert_allclose(rows(measured(sigma=scale * SIGMA))[1], rows(measured())[1], rtol=1e-12)
    np.testing.assert_allclose(rows(measured(sigma=0.3))[1], (rows(measured())[0] - VALUES) / 3**0.5, rtol=1e-12)


def test_what_was_measured_may_be_a_derivative_or_several_numbers():
    theta = NETWORK.init(key=jax.random.key(0))
    slopes = np.asarray(jax.vmap(jax.grad(lambda x: NETWORK.apply(theta, x)))(jnp.asarray(X)))
    np.testing.assert_allclose(rows(measured(sigma=1.0, residual=slope))[1], (slopes[:, 1] - VALUES) / 3**0.5, rtol=1e-12)
    both = rows(measured(values=np.stack([VALUES, 2 * VALUES], 1), sigma=1.0, residual=lambda u, x: sl.gradient(u)(x)))[1]
    np.testing.assert_allclose(both.reshape(3, 2), (slopes - np.stack([VALUES, 2 * VALUES], 1)) / 3**0.5, rtol=1e-12)


def test_all_entries_of_a_system_or_one_of_them_may_be_measured():
    network, twice = sl.MLP(2, 6, 1, outputs=2), np.stack([VALUES, 2 * VALUES], 1)
    u, found = rows(measured(values=twice, sigma=[[1.0, 2.0]], outputs=2), network)
    precision = np.array([1.0, 0.25])
    assert np.sum(found**2) == pytest.approx(float(np.sum(precision * (u - twice) ** 2) / (3 * precision.mean())), rel=1e-12)
    u, found = rows(measured(residual=lambda u, x: u(x)[1], sigma=1.0, outputs=2), network)
    np.testing.assert_allclose(found, (u[:, 1] - VALUES) / 3**0.5, rtol=1e-12)


@pytest.mark.parametrize("sampler", sl.SAMPLERS)
@pytest.mark.parametrize("total", [2, 10, 101])
def test_all_measured_points_come_in_addition_to_the_total(total, sampler):
    problem, plain = measured(), sl.PROBLEMS["poisson_2d"]()
    inside, data, boundary = problem.sample(total, seed=1, sampler=sl.SAMPLERS[sampler])
    assert np.array_equal(data, np.column_stack([X, VALUES, SIGMA]))
    expected = [len(x) for x in plain.sample(total, seed=1, sampler=sl.SAMPLERS[sampler])]
    assert [len(inside), len(boundary)] == expected


def test_a_list_names_all_measured_points_or_more_but_never_fewer():
    problem = measured()
    assert [len(x) for x in problem.sample([5, 3, 4], seed=0)] == [5, 3, 4]
    assert [len(x) for x in problem.sample([5, 30, 4], seed=0)] == [5, 3, 4]
    with pytest.raises(sl.InputError, match=r"points = \[5, 2, 4\] would drop points of the data: give it its 3"):
        problem.sample([5, 2, 4], seed=0)
    with pytest.raises(sl.InputError, match="2 points are asked for of 3 measured ones, which are never dropped"):
        problem.regions[1].sample(2, seed=0)


def test_several_data_have_numbers_in_their_names_and_data_alone_are_a_problem():
    problem = measured(sl.data(X[:2], VALUES[:2], sigma=1.0))
    assert problem.names == ["interior", "data (1)", "boundary", "data (2)"]
    alone = sl.Problem("alone", BOX, [sl.data(X, VALUES, sigma=0.1)])
    assert [len(x) for x in alone.sample(1, seed=0)] == [3]
    run = sl.train(alone, sl.MLP(2, 4, 1), sl.natural_gradient(), steps=40, progress=False)
    np.testing.assert_allclose(run.solution(X), VALUES, atol=1e-6)


@pytest.mark.parametrize("resampling", [sl.redraw(1), sl.residual_adaptive(1)])
def test_drawing_new_points_keeps_the_measured_ones(resampling):
    problem = measured()
    trainer = sl.Trainer(problem, NETWORK, sl.adam(), points=20, resampling=resampling)
    first = trainer.points
    trainer.step()
    trainer.step()
    assert not np.array_equal(trainer.points[0], first[0])
    assert np.array_equal(trainer.points[1], first[1]) and [len(x) for x in trainer.points] == [len(x) for x in first]


def test_other_values_at_as_many_points_are_not_compiled_again():
    one, other = (sl.LeastSquares(measured(values=values), NETWORK) for values in (VALUES, VALUES + 1))
    assert one == other and hash(one) == hash(other)


def test_marching_refuses_data():
    problem = sl.Problem(
        "m", BOX, [sl.interior(equation), sl.face(axis=1, side="lower", residual=edge), *measured().conditions[1:2]]
    )
    with pytest.raises(sl.InputError, match="'m' has measured points, which belong to no slab"):
        sl.march(problem, NETWORK, slabs=2, points=20, steps=1, progress=False)


def test_no_boundary_weight_is_put_on_data():
    problem, theta = measured(weight=2.0), NETWORK.init(key=jax.random.key(0))
    points = tuple(map(jnp.asarray, problem.sample(20, seed=0)))
    heavier = weighed(5.0, sl.LeastSquares(problem, NETWORK), theta, points).problem
    assert [condition.weight for condition in heavier.conditions] == [1.0, 2.0, 5.0]
    balanced = weighed("balance", sl.LeastSquares(problem, NETWORK), theta, points)
    inside, data, boundary = balanced.traces(theta, points)
    assert balanced.problem.conditions[1].weight == 2.0 and boundary == pytest.approx(inside + data)


def test_spectra_know_the_share_of_the_data():
    spectrum = sl.spectrum(measured(), NETWORK, points=20)
    assert [name for name, _ in spectrum.conditions] == ["interior", "data", "boundary"] and dict(spectrum.conditions)[
        "data"
    ] == 3
    np.testing.assert_allclose(sum(spectrum.shares.values()), 1)
    parts = sl.condition_spectra(measured(), NETWORK, points=20)
    whole = sum(float(jnp.sum(part.eigenvalues)) for part in parts.values())
    assert float(jnp.sum(spectrum.eigenvalues)) == pytest.approx(whole)


def test_runs_on_data_are_saved_and_go_on(tmp_path):
    path, options = tmp_path / "run.npz", {"points": 20, "progress": False}
    whole = sl.train(measured(), NETWORK, sl.sketched_natural_gradient(8), steps=6, **options)
    sl.train(measured(), NETWORK, sl.sketched_natural_gradient(8), steps=3, checkpoint=path, **options)
    run = sl.resume(path, measured(), steps=6, progress=False)
    assert np.array_equal(run.theta, whole.theta)
    with pytest.raises(sl.InputError, match="is of 'measured' with other measured data"):
        sl.load(path, measured(values=VALUES + 1))


def test_problems_with_data_are_pickled_where_functions_are():
    again = pickle.loads(pickle.dumps(measured(residual=slope)))
    assert again.regions == measured().regions and hash(again.regions[1]) == hash(measured().regions[1])
    np.testing.assert_array_equal(rows(again)[1], rows(measured(residual=slope))[1])
    with pytest.raises(pickle.PicklingError, match="define its functions with def"):
        pickle.dumps(measured(residual=lambda u, x: u(x)))


def test_single_precision_has_no_other_numbers():
    problem = measured()
    run = sl.train(problem, NETWORK, sl.adam(), steps=2, points=20, dtype="float32", progress=False)
    assert run.theta.dtype == "float32" and np.isfinite(run.history.loss).all()


def test_a_curve_is_drawn_with_its_data():
    x = np.linspace(0, 1, 5)[:, None]
    conditions = [sl.data(x, x[:, 0], sigma=0.1), sl.data(x, 1 + x[:, 0], sigma=0.1, residual=lambda u, x: sl.partial(u, 0)(x))]
    run = sl.train(sl.Problem("line", sl.Box(0, 1), conditions), sl.MLP(1, 4, 1), steps=1, progress=False)
    ax = sl.plot_solution(run)
    drawn = {text.get_text() for text in ax.get_legend().get_texts()}
    assert drawn == {"network", "data (1)"}
    points = next(line for line in ax.get_lines() if len(line.get_xdata()) == 5)
    np.testing.assert_allclose(points.get_ydata(), x[:, 0])


def test_the_training_explorer_draws_an_equation_beside_data():
    data, equation_ = measured().conditions[1], sl.interior(equation)
    for conditions in ([data, equation_, sl.boundary(edge)], [data]):
        explorer = sl.explore.training(problem=sl.Problem("seen", BOX, conditions), width=6, depth=1, points=20, rank=5)
        assert explorer.error is None
        assert np.isfinite(np.asarray(explorer.error_figure.data[0].z, float)).any() == (len(conditions) > 1)
        explorer.close()


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: sl.data(X[:, 0], VALUES, sigma=1), r"x of shape \(3,\) holds no points \(n, d\): write x\[:, None\]"),
        (lambda: sl.data(np.ones((0, 2)), [], sigma=1), r"x of shape \(0, 2\) holds no points \(n, d\)\."),
        (lambda: sl.data("x", VALUES, sigma=1), "x = 'x' is not an array of real numbers"),
        (lambda: sl.data(X, VALUES[:2], sigma=1), r"values of shape \(2,\) do not fit 3 points"),
        (lambda: sl.data(X, [1, np.nan, np.nan], sigma=1), r"values has 2 NaN or infinite numbers, the first at .1.: leave"),
        (lambda: sl.data(X, [[1, 2], [3, np.inf], [1, 2]], sigma=1), r"values has 1 NaN .* first at \[1, 1\]"),
        (lambda: sl.data(np.where(X > 0.8, np.nan, X), VALUES, sigma=1), r"x has 1 NaN .* first at \[1, 1\]"),
        (lambda: sl.data(X, VALUES, sigma=0), "sigma = 0.0 must be above 0"),
        (lambda: sl.data(X, VALUES, sigma=[1, 1, -1]), r"sigma = \[1.0, 1.0, -1.0\] must be above 0"),
        (lambda: sl.data(X, VALUES, sigma=1e-200), "sigma = 1e-200 must be above 0, and its square a number"),
        (lambda: sl.data(X, VALUES, sigma=np.nan), "sigma has 1 NaN"),
        (lambda: sl.data(X, VALUES, sigma=[1, 1]), r"sigma of shape \(2,\) does not fit values of shape \(3,\)"),
        (lambda: sl.data(X, np.ones((3, 3)), sigma=[1, 1, 2]), r"sigma of shape \(3,\) does not fit values of shape \(3, 3\)"),
        (lambda: sl.data(X, VALUES), r"missing a required argument: 'sigma'\. Write data\(x, values, sigma=…"),
        (lambda: sl.data(X, VALUES, sigma=1, residual=3), r"residual = 3 is not a function of \(u, x\)"),
        (lambda: sl.data(X, VALUES, sigma=1, residual=lambda u, x, v: u(x) - v), r"is not a function of \(u, x\)"),
        (lambda: sl.data(X, VALUES, sigma=1, weight=0), "weight = 0 is not a number"),
        (lambda: sl.Problem("p", sl.Box(0, 1), [sl.data(X, VALUES, sigma=1)]), "points of 2 coordinates, the domain of 1"),
        (
            lambda: sl.Problem("p", sl.Box([0, 0], [1, 0.5]), [sl.data(X, VALUES, sigma=1)]),
            r"1 of 3 measured points lie outside of the domain, the first at x = \[0.5, 0.9\]",
        ),
        (
            lambda: sl.tangent_functions(
                measured(), NETWORK, np.zeros(25), np.ones((25, 1)), X, condition=measured().conditions[1]
            ),
            "reads numbers that come with its points",
        ),
        (lambda: rows(measured(outputs=2), sl.MLP(2, 6, 1, outputs=2)), r"u\(x\) has the shape \(2,\) at one point, a measured"),
        (lambda: rows(measured(residual=lambda u, x: sl.gradient(u)(x))), r"what is observed has the shape \(2,\) .* value \(\)"),
        (lambda: rows(measured(residual=lambda u, x: sl.partial(u, 1))), "a function has no value without a point"),
        (lambda: rows(measured(residual=lambda u, x: u.speed)), "u has no constant 'speed'"),
    ],
)  # fmt: skip
def test_data_that_do_not_fit_are_refused_in_words(make, words):
    with pytest.raises(sl.InputError, match=words):
        make()


def test_settings_are_fit_for_json():
    run = sl.train(measured(), NETWORK, sl.adam(), steps=1, points=20, progress=False)
    assert json.loads(json.dumps(run.settings))["points"] == 23
