from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import broken, cauchy_riemann

import sketchlab as sl
import sketchlab.spectra
from sketchlab.memory import FIT, largest_rank

HEAT = sl.PROBLEMS["heat_1d"]()
NETWORK = sl.MLP(2, 8, 2)
THETA = np.random.default_rng(0).standard_normal(NETWORK.size) * 0.7


def spectrum_with(eigenvalues, squared=False):
    s = jnp.sqrt(jnp.asarray(eigenvalues))
    return sl.Spectrum(s, jnp.eye(s.size), jnp.eye(s.size), squared=squared)


def set_memory(monkeypatch, memory):
    for module in ("memory", "spectra"):
        monkeypatch.setattr(f"sketchlab.{module}.memory_at_hand", lambda: memory)


@pytest.fixture(scope="module")
def full():
    return sl.spectrum(HEAT, NETWORK, THETA, points=150)


@pytest.fixture(scope="module")
def matrix():
    return np.asarray(sl.jacobian(HEAT, NETWORK, THETA, points=150).dense())


def test_the_full_spectrum_is_that_of_the_jacobian(full, matrix):
    np.testing.assert_allclose(full.singular_values, np.linalg.svd(matrix, compute_uv=False), rtol=1e-10, atol=1e-14)
    assert full.shape == matrix.shape == (150, NETWORK.size)
    assert (full.route, full.error, full.squared) == ("full", 0, False)


@pytest.mark.parametrize("route", sl.ROUTES)
def test_every_route_finds_the_leading_eigenvalues_of_a_problem(route, full):
    found = sl.spectrum(HEAT, NETWORK, THETA, rank=40, route=route, points=150)
    # A single pass solves for J with random coefficients: its leading eigenvalues are as wrong as its last ones.
    np.testing.assert_allclose(found.eigenvalues[:20], full.eigenvalues[:20], rtol=0.05 if route == "single-pass" else 1e-6)
    assert found.conditions == full.conditions
    assert np.all(np.abs(found.singular_values - full.singular_values[:40]) <= found.error + 1e-7 * full.singular_values[0])


def test_shares_are_the_squares_of_a_conditions_rows(full, matrix):
    assert dict(full.conditions) == {
        "interior": 120,
        "lower face of axis 0": 10,
        "upper face of axis 0": 10,
        "lower face of axis 1": 10,
    }
    shares = full.shares
    assert list(shares) == HEAT.names
    np.testing.assert_allclose(sum(shares.values()), 1, rtol=1e-12)
    images = matrix @ np.asarray(full.right)
    np.testing.assert_allclose(shares["interior"][:10], (images[:120] ** 2).sum(0)[:10] / full.eigenvalues[:10], rtol=1e-8)


def test_shares_of_a_bare_matrix_are_unknown():
    assert sl.full_spectrum(sl.from_matrix(jnp.eye(3))).shares == {}


def test_each_conditions_own_gramian_adds_up_to_the_whole(full):
    parts = sl.condition_spectra(HEAT, NETWORK, THETA, points=150)
    assert list(parts) == HEAT.names
    np.testing.assert_allclose(sum(jnp.sum(part.eigenvalues) for part in parts.values()), jnp.sum(full.eigenvalues), rtol=1e-12)
    np.testing.assert_allclose(
        sum(part.right * part.eigenvalues[None] @ part.right.T for part in parts.values()),
        full.right * full.eigenvalues[None] @ full.right.T,
        atol=1e-10 * float(full.eigenvalues[0]),
    )
    assert parts["interior"].conditions == (("interior", 120),)


def test_conditions_on_one_region_get_numbers_and_components_their_rows():
    problem = cauchy_riemann()
    twice = sl.Problem("twice", problem.domain, [*problem.conditions, problem.conditions[0]], outputs=2)
    found = sl.spectrum(twice, sl.MLP(2, 4, 1, 2), points=[7, 5, 3])
    assert found.conditions == (("interior (1)", 14), ("boundary", 10), ("interior (2)", 6))


@pytest.mark.parametrize("seed", [0, 1])
def test_permuting_points_or_hidden_units_changes_no_eigenvalue(seed, full):
    generator = np.random.default_rng(seed)
    least_squares = sl.LeastSquares(HEAT, NETWORK)
    points = HEAT.sample(150, seed=0)
    shuffled = tuple(jnp.asarray(generator.permutation(x)) for x in points)
    values = sl.full_spectrum(sl.from_matrix(jax.jit(least_squares.jacobian)(jnp.asarray(THETA), shuffled)))
    np.testing.assert_allclose(values.singular_values, full.singular_values, rtol=1e-9, atol=1e-13)
    order = generator.permutation(NETWORK.width)
    (w, b), (v, c), (a, d) = (tuple(map(np.asarray, layer)) for layer in NETWORK.unflatten(jnp.asarray(THETA)))
    theta = np.concatenate([part.ravel() for part in (w[order], b[order], v[:, order], c, a, d)])
    permuted = sl.spectrum(HEAT, NETWORK, theta, points=150)
    np.testing.assert_allclose(permuted.singular_values, full.singular_values, rtol=1e-9, atol=1e-13)


def test_tangent_functions_at_the_points_are_the_rows_of_the_jacobian(full, matrix):
    points = HEAT.sample(150, seed=0)
    vectors = np.asarray(full.right[:, :3])
    condition, x = HEAT.conditions[0], points[0]
    values = sl.tangent_functions(HEAT, NETWORK, THETA, vectors, x, condition=condition)
    scale = (condition.weight * HEAT.domain.measure / len(x)) ** 0.5
    np.testing.assert_allclose(scale * np.asarray(values), matrix[: len(x)] @ vectors, rtol=1e-8, atol=1e-10)
    step = 1e-6 * vectors[:, 0]
    solution = sl.LeastSquares(HEAT, NETWORK).solution
    difference = (solution(jnp.asarray(THETA + step), x) - solution(jnp.asarray(THETA - step), x)) / 2e-6
    np.testing.assert_allclose(
        sl.tangent_functions(HEAT, NETWORK, THETA, vectors[:, :1], x)[:, 0], difference, rtol=1e-5, atol=1e-7
    )


def test_tangent_functions_of_a_system_have_all_outputs():
    problem, network = cauchy_riemann(), sl.MLP(2, 4, 1, 2)
    assert sl.tangent_functions(problem, network, np.ones(network.size), np.eye(network.size)[:, :3], np.ones((5, 2))).shape == (
        5,
        2,
        3,
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"vectors": np.ones((3, 1))}, r"vectors of shape \(3, 1\) does not fit: it needs 105 rows"),
        ({"x": np.ones((2, 3))}, r"of shape \(2, 3\) do not fit"),
        ({"x": [["a", "b"]]}, "x = .* is not an array of real numbers"),
        ({"theta": np.ones(3)}, r"theta has shape \(3,\)"),
        ({"condition": "interior"}, "condition = 'interior' is no Condition: give one of problem.conditions"),
    ],
)
def test_tangent_functions_name_what_does_not_fit(options, message):
    options = {"theta": THETA, "vectors": np.ones((NETWORK.size, 1)), "x": np.ones((2, 2))} | options
    with pytest.raises(sl.InputError, match=message):
        sl.tangent_functions(HEAT, NETWORK, **options)


def test_whole_numbers_and_numpy_numbers_are_accepted():
    functions = sl.tangent_functions(HEAT, NETWORK, np.ones(NETWORK.size, int), np.eye(NETWORK.size, 1, dtype=int), [[0, 1]])
    assert functions.shape == (1, 1) and functions.dtype == "float64"
    found = sl.spectrum(HEAT, NETWORK, rank=np.int64(5), power_iterations=np.int32(1), points=np.int64(60), seed=np.uint8(3))
    assert found.rank == 5


def test_a_constant_that_changes_between_two_calls_changes_every_answer():
    k = 1.0
    problem = sl.Problem("wave", sl.Box([0.0], [1.0]), [sl.interior(lambda u, x: sl.laplacian(u)(x) + k**2 * u(x))])
    network = sl.MLP(1, 6, 1)
    theta, x = network.init(key=jax.random.key(0)), np.linspace(0, 1, 5)[:, None]

    def answers():
        condition, options = problem.conditions[0], {"points": 40}
        return {
            "spectrum": sl.spectrum(problem, network, **options).eigenvalues[0],
            "sketch": sl.spectrum(problem, network, rank=5, **options).eigenvalues[0],
            "survey": sl.survey(problem, network, largest_rank=5, **options).full.eigenvalues[0],
            "condition": sl.condition_spectra(problem, network, **options)["interior"].eigenvalues[0],
            "jacobian": np.linalg.norm(sl.jacobian(problem, network, **options).dense(), 2) ** 2,
            "tangent": sl.tangent_functions(problem, network, theta, np.eye(network.size), x, condition=condition)[1, 0],
        }

    before = answers()
    k = 100.0
    after = answers()
    for name, value in after.items():
        assert abs(value) > 100 * abs(before[name]), name
    k = 1.0
    assert all(np.allclose(value, before[name]) for name, value in answers().items())


def test_effective_dimension_counts_what_is_above_the_damping():
    found = spectrum_with([1.0] * 10 + [1e-12] * 10)
    np.testing.assert_allclose(found.effective_dimension(1e-6), 10, rtol=1e-5)
    np.testing.assert_allclose(found.effective_dimension(jnp.array([1.0, 1e-12])), [5, 15], rtol=1e-6)


def test_noise_floors_follow_precision_and_squaring():
    one = spectrum_with([4.0, 1.0])
    np.testing.assert_allclose(one.noise_floor, 4 * np.finfo(float).eps ** 2)
    np.testing.assert_allclose(spectrum_with([4.0, 1.0], squared=True).noise_floor, 4 * np.finfo(float).eps)
    single = sl.spectrum(HEAT, NETWORK, points=100, dtype="float32")
    assert single.dtype == "float32"
    np.testing.assert_allclose(single.noise_floor, single.eigenvalues[0] * np.finfo(np.float32).eps ** 2, rtol=1e-5)


def test_float32_is_right_down_to_its_own_floor():
    double, single = (
        np.asarray(sl.spectrum(HEAT, NETWORK, THETA, points=150, dtype=d).eigenvalues) for d in ("float64", "float32")
    )
    above = double > 1e3 * np.finfo(np.float32).eps ** 2 * double[0]
    assert 20 < above.sum() < 150
    np.testing.assert_allclose(single[above], double[above], rtol=0.1)


@pytest.mark.parametrize("activation", sl.ACTIVATIONS)
def test_every_activation_has_a_spectrum(activation):
    found = sl.spectrum(HEAT, sl.MLP(2, 6, 1, activation=activation), points=60, rank=10)
    assert found.rank == 10 and np.all(np.isfinite(found.eigenvalues))


def test_the_same_call_is_compiled_once():
    before = sketchlab.spectra._compile.cache_info()
    for seed in range(2):
        sl.spectrum(HEAT, NETWORK, rank=9, points=61, seed=seed)
    after = sketchlab.spectra._compile.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 1)


@pytest.mark.parametrize("rank", [None, 90])
def test_what_memory_cannot_hold_is_refused_before_it_runs(rank, monkeypatch):
    needed = sl.spectrum_bytes(HEAT, NETWORK, points=150, rank=rank)
    memory = int(0.9 * needed / FIT)
    set_memory(monkeypatch, memory)
    what = "full spectrum" if rank is None else "spectrum of rank 90"
    with pytest.raises(
        sl.InputError, match=rf"the {what} of J, 150 × {NETWORK.size}, takes about .* GiB, .* GiB are at hand"
    ) as refusal:
        sl.spectrum(HEAT, NETWORK, points=150, rank=rank)
    fits = int(str(refusal.value).rsplit("rank = ", 1)[1].split()[0])
    assert sl.spectrum(HEAT, NETWORK, points=150, rank=fits).rank == fits
    set_memory(monkeypatch, 10_000)
    with pytest.raises(sl.InputError, match="take fewer points or a smaller network"):
        sl.spectrum(HEAT, NETWORK, points=150, rank=rank)
    with pytest.raises(sl.InputError, match="J, 150 × 105, takes"):
        sl.jacobian(HEAT, NETWORK, points=150)


def test_what_does_not_fit_draws_nothing(monkeypatch):
    monkeypatch.setattr(sl.MLP, "init", None)
    set_memory(monkeypatch, 10_000)
    for compute in (sl.spectrum, sl.jacobian, partial(sl.survey, largest_rank=90), partial(sl.spectrum, rank=90)):
        with pytest.raises(sl.InputError, match="are at hand"):
            compute(HEAT, NETWORK, points=150)


@pytest.mark.parametrize("route", sl.ROUTES)
def test_the_rank_that_is_said_to_fit_does(route, monkeypatch):
    network, memory = sl.MLP(2, 128, 2), 2**28
    set_memory(monkeypatch, memory)
    rank = largest_rank(1000, network.size, itemsize=8, memory=memory)
    assert rank > 40
    assert sl.spectrum_bytes(HEAT, network, points=1000, rank=rank, route=route) < FIT * memory


@pytest.mark.parametrize("rank", [None, 3])
def test_a_non_finite_jacobian_is_an_error_and_not_a_spectrum(rank):
    with pytest.raises(sl.InputError, match="J of 'broken' has non-finite entries"):
        sl.spectrum(broken(), sl.MLP(1, 4, 1), points=20, rank=rank)


def test_in_blocks_of_rows_the_spectrum_is_the_same(monkeypatch, full):
    monkeypatch.setattr("sketchlab.spectra.block_for", lambda *_: 40)
    for route in sl.ROUTES:
        found = sl.spectrum(HEAT, NETWORK, THETA, rank=30, route=route, points=150)
        np.testing.assert_allclose(found.eigenvalues[:10], full.eigenvalues[:10], rtol=0.05 if route == "single-pass" else 1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"rank": 0}, "rank = 0"),
        ({"rank": 60}, r"rank \+ oversampling = 66 exceeds min\(N, P\) = 60"),
        ({"rank": 5, "power_iterations": -1}, "power_iterations = -1"),
        ({"rank": 5, "sketch": "gausian"}, "Did you mean 'gaussian'"),
        ({"rank": 5, "route": "rang"}, "Did you mean 'range'"),
        ({"route": "kernel"}, "route = 'kernel', .* are for a sketch: give its rank too"),
        ({"power_iterations": 1}, "power_iterations = 1 are for a sketch: give its rank too"),
        ({"dtype": "float16"}, "float16"),
        ({"theta": np.ones(3)}, r"theta has shape \(3,\)"),
        ({"theta": "x"}, "theta = 'x' is not an array of real numbers"),
        ({"theta": np.ones(NETWORK.size, complex)}, "theta = .* is not an array of real numbers"),
        ({"rank": np.array([3])}, r"rank = array\(\[3\]\)"),
        ({"rank": 5, "route": ["range"]}, r"unknown route \['range'\]"),
        ({"rank": 5, "power_iterations": 2**70}, "between 0 and 100"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(sl.InputError, match=message):
        sl.spectrum(HEAT, NETWORK, points=60, **options)


def test_a_survey_agrees_with_the_spectra():
    problem, network = sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 8, 1)
    options = {"points": 40, "seed": 3}
    found = sl.survey(problem, network, largest_rank=10, power_iterations=2, **options)
    full = sl.spectrum(problem, network, **options)
    assert np.allclose(found.full.singular_values, full.singular_values) and found.full.conditions == full.conditions
    assert np.allclose(found.sketches.ritz(10)[0][:5], full.singular_values[:5], rtol=1e-6)
    assert found.sketches.triangle.shape == (16, 16)
    assert sl.survey(problem, network, largest_rank=10, full=False, **options).full is None
    # No more columns than there are parameters.
    assert sl.survey(problem, network, largest_rank=400, **options).sketches.triangle.shape == (25, 25)


def test_a_survey_refuses_what_spectrum_refuses():
    problem, network = sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 8, 1)
    with pytest.raises(sl.InputError, match="non-finite entries"):
        sl.survey(problem, network, np.full(network.size, np.nan), largest_rank=5, full=False, points=40)
    with pytest.raises(sl.InputError, match="largest_rank = 0"):
        sl.survey(problem, network, largest_rank=0)
    with pytest.raises(sl.InputError, match="sketch = 'sparse-sign' contains no smaller sketches"):
        sl.survey(problem, network, largest_rank=5, sketch="sparse-sign", points=40)
    with pytest.raises(sl.InputError, match="unknown sketch 'gauss'"):
        sl.survey(problem, network, largest_rank=5, sketch="gauss", points=40)
