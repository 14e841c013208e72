import json
from dataclasses import replace

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sketchlab as sl
from sketchlab.networks import check_network, network_from_settings
from sketchlab.usual import USUAL_NETWORKS, usual_network


def distance(x):
    return x[0] * (1 - x[0])


def lift(x):
    return 1 + 2 * x[0] + x[1]


def draw_weights(key):
    keys = jax.random.split(key)
    return {"out": jax.random.normal(keys[0], (8,)), "hidden": (jax.random.normal(keys[1], (8, 2)), jnp.full(8, 0.1))}


def plain_model(p, x):
    weights, biases = p["hidden"]
    return p["out"] @ jnp.tanh(weights @ x + biases)


NETWORKS = {
    "mlp": sl.MLP(2, 6),
    "periodic": sl.Periodic(sl.MLP(3, 6), periods=(2.0, None)),
    "fourier": sl.Fourier(sl.MLP(6, 6, outputs=2), frequencies=[[1.0, 0.0], [0.0, 2.0], [1.5, -0.5]]),
    "hard": sl.Hard(sl.MLP(2, 6), lift, distance),
    "constants": sl.WithConstants(sl.MLP(2, 6), speed=2.0, damping=-0.5),
    "positive": sl.WithConstants(sl.MLP(2, 6), positive=["damping"], speed=-2.0, damping=0.5),
    "pytree": sl.from_pytree(draw_weights, plain_model, dim=2),
    "composed": sl.Hard(sl.WithConstants(sl.Periodic(sl.MLP(3, 6), (None, 1)), speed=2.0), None, distance),
    "around": sl.WithConstants(sl.WithConstants(sl.Periodic(sl.MLP(3, 6), (1, None)), b=1.0), a=2.0),
    "only features": sl.OnlyFeatures(sl.MLP(3, 6), [jnp.sum, jnp.prod, lift], dim=2),
    "features": sl.Periodic(sl.Fourier(sl.MLP(4, 6), np.ones((2, 3))), (1, None)),
}
POINT = jnp.array([0.3, 0.8])
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def theta_of(network, dtype=None):
    return network.init(key=jax.random.key(1), dtype=dtype)


@every_network
def test_it_is_a_network_whose_leaves_are_theta(network):
    check_network(network)
    theta = jnp.arange(1.0, network.size + 1)
    leaves = jax.tree.leaves(network.unflatten(theta))
    assert np.array_equal(np.concatenate([jnp.ravel(leaf) for leaf in leaves]), theta)
    assert network.dim == 2 and theta_of(network).shape == (network.size,)


@every_network
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_asked_for_is_the_dtype_of_all_that_is_computed(network, dtype):
    theta = theta_of(network, dtype)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert theta.dtype == dtype and network.apply(theta, POINT.astype(dtype)).dtype == dtype


@every_network
def test_jit_vmap_and_derivatives(network):
    theta, x = theta_of(network), jnp.stack([POINT, 1 - POINT, POINT / 2])
    one_by_one = jnp.stack([network.apply(theta, y) for y in x])
    assert one_by_one.shape == (3,) if network.outputs == 1 else (3, network.outputs)
    np.testing.assert_allclose(jax.jit(jax.vmap(network.apply, (None, 0)))(theta, x), one_by_one, rtol=1e-13)
    step, v = 1e-6, jax.random.normal(jax.random.key(2), theta.shape)
    slope = jax.jvp(lambda theta: network.apply(theta, POINT), (theta,), (v,))[1]
    difference = network.apply(theta + step * v, POINT) - network.apply(theta - step * v, POINT)
    np.testing.assert_allclose(slope, difference / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["mlp", "periodic", "fourier", "constants", "positive", "around", "features"])
def test_settings_make_the_same_network_again(name):
    network = NETWORKS[name]
    again = network_from_settings(json.loads(json.dumps(network.settings)))
    assert again == network and hash(again) == hash(network)
    assert np.array_equal(theta_of(again), theta_of(network))


def nested(u, orders):
    for axis in orders:
        u = sl.partial(u, axis)
    return u


@pytest.mark.parametrize("orders", [(), (0,), (0, 0), (0, 1), (1, 0, 0)])
def test_periodic_networks_repeat_themselves_with_all_derivatives(orders):
    network = sl.Periodic(sl.MLP(4, 6), periods=(2.0, 0.5))
    theta = theta_of(network)
    u = nested(lambda x: network.apply(theta, x), orders)
    for shift in ([2.0, 0.0], [0.0, 0.5], [-4.0, 1.5]):
        assert u(POINT + jnp.array(shift)) == pytest.approx(float(u(POINT)), rel=1e-10)
    assert abs(u(POINT + jnp.array([1.0, 0.0])) - u(POINT)) > 1e-6


def test_an_axis_without_a_period_is_left_as_it_is():
    network = sl.Periodic(sl.MLP(3, 6), periods=(2.0, None))
    theta, (x, t) = theta_of(network), POINT
    features = jnp.array([np.cos(np.pi * x), np.sin(np.pi * x), t])
    assert network.apply(theta, POINT) == pytest.approx(float(network.network.apply(theta, features)), rel=1e-14)


def test_fourier_features_against_numpy():
    matrix = np.random.default_rng(0).normal(size=(3, 2))
    network = sl.Fourier(sl.MLP(6, 5), matrix)
    theta = theta_of(network)
    features = np.concatenate([np.cos(2 * np.pi * matrix @ POINT), np.sin(2 * np.pi * matrix @ POINT)])
    assert network.apply(theta, POINT) == pytest.approx(float(network.network.apply(theta, features)), rel=1e-13)
    assert network == sl.Fourier(sl.MLP(6, 5), matrix.tolist())


def test_hard_boundary_values_hold_exactly_whatever_theta():
    network = NETWORKS["hard"]
    theta = 10 * jax.random.normal(jax.random.key(3), (network.size,))
    for x in ([0.0, 0.7], [1.0, 0.2]):
        assert network.apply(theta, jnp.array(x)) == lift(x)
    inside = network.network.apply(theta, POINT)
    assert network.apply(theta, POINT) == pytest.approx(float(lift(POINT) + distance(POINT) * inside))
    zero = sl.Hard(sl.MLP(2, 6), lift=None, distance=distance)
    assert zero.apply(theta, jnp.array([1.0, 0.2])) == 0


def test_hard_values_of_a_system_may_differ_from_output_to_output():
    network = sl.Hard(sl.MLP(1, 4, outputs=2), lambda x: jnp.array([3.0, 4.0]), lambda x: jnp.stack([x[0], 1 + x[0]]))
    u = network.apply(theta_of(network), jnp.array([0.0]))
    assert u[0] == 3 and u[1] == 4 + network.network.apply(theta_of(network), jnp.array([0.0]))[1]


def test_constants_lie_at_the_end_of_theta_in_the_order_given():
    network = NETWORKS["constants"]
    theta = theta_of(network)
    assert theta[-2:].tolist() == [2.0, -0.5]
    assert np.array_equal(theta[:-2], theta_of(network.network))
    assert {name: float(c) for name, c in network.constants(network.unflatten(theta)).items()} == {"speed": 2.0, "damping": -0.5}
    assert network.apply(theta, POINT) == network.network.apply(theta[:-2], POINT)


def test_positive_constants_are_logarithms_in_theta():
    network = NETWORKS["positive"]
    theta = theta_of(network)
    np.testing.assert_allclose(theta[-2:], [-2.0, np.log(0.5)], rtol=1e-15)
    for step in (-50.0, 0.0, 3.0):
        found = network.constants(network.unflatten(theta.at[-1].add(step)))
        assert found["speed"] == -2 and found["damping"] == pytest.approx(0.5 * np.exp(step), rel=1e-13)
    assert network.positive == ("damping",) and NETWORKS["constants"].positive == NETWORKS["periodic"].positive == ()
    assert sl.Hard(sl.WithConstants(network, positive=("a",), a=1.0), None, distance).positive == ("damping", "a")
    assert network != sl.WithConstants(sl.MLP(2, 6), speed=-2.0, damping=0.5)


def test_a_wrapper_goes_around_another_network():
    for name in ("periodic", "hard", "positive", "around"):
        wide = replace(NETWORKS[name].network, width=9) if name != "around" else NETWORKS["positive"]
        other = NETWORKS[name].around(wide)
        check_network(other)
        assert (
            other.network == wide
            and type(other) is type(NETWORKS[name])
            and other.around(NETWORKS[name].network) == NETWORKS[name]
        )


def test_wrappers_pass_constants_on():
    for name, values in {"composed": {"speed": 2.0}, "around": {"b": 1.0, "a": 2.0}, "hard": {}, "features": {}}.items():
        network = NETWORKS[name]
        assert network.constants(network.unflatten(theta_of(network))) == values


def test_a_network_with_functions_is_not_made_again():
    assert NETWORKS["hard"].settings is None
    assert not hasattr(NETWORKS["pytree"], "settings")
    around = sl.Periodic(sl.Hard(sl.MLP(3, 6), None, distance), (1, None))
    with pytest.raises(sl.InputError, match="holds functions"):
        network_from_settings(around.settings)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: sl.Periodic(sl.MLP(2), (1.0, None)), "Periodic gives its network 3 features: make it with dim = 3, not 2"),
        (lambda: sl.Periodic(sl.MLP(2), (0.0,)), r"period = 0.0 is not a number in \(0, inf\)"),
        (lambda: sl.Fourier(sl.MLP(2), [[1.0], [2.0]]), "Fourier gives its network 4 features: make it with dim = 4, not 2"),
        (lambda: sl.Fourier(sl.MLP(2), [1.0, 2.0]), r"frequencies of shape \(2,\) must be a matrix \(m, d\) of finite numbers"),
        (lambda: sl.Fourier(sl.MLP(2), [[np.nan]]), "matrix .* of finite numbers"),
        (lambda: sl.Periodic(sl.MLP, (1.0,)), "MLP is a class, not a network"),
        (
            lambda: sl.Hard(sl.MLP(1), lambda x: x, lambda x: x[0]),
            r"Hard with outputs = 1 must return the shape \(\).*returns \(1,\)",
        ),
        (lambda: sl.WithConstants(sl.MLP(1)), r"name one with its first value, WithConstants\(network, c=0.1\)"),
        (lambda: sl.WithConstants(sl.MLP(1), c=np.inf), r"c = inf is not a number in \(-inf, inf\)"),
        (lambda: sl.WithConstants(sl.MLP(1), c="1"), "c = '1' is not a number"),
        (lambda: sl.WithConstants(sl.WithConstants(sl.MLP(1), c=1), c=2), "cannot be called 'c': .* take a name that is free"),
        (lambda: sl.WithConstants(sl.MLP(1), name=1), "cannot be called 'name'"),
        (lambda: sl.WithConstants(sl.MLP(1), **{"thermal diffusivity": 1}), "cannot be called 'thermal diffusivity'"),
        (lambda: sl.WithConstants(sl.MLP(1), **{"lambda": 1}), "cannot be called 'lambda'"),
        (lambda: sl.WithConstants(sl.MLP(1), _c=1), "cannot be called '_c'"),
        (lambda: sl.WithConstants(sl.MLP(1), positive=["c"], c=0.0), r"c = 0.0 is not a number in \(0, inf\)"),
        (lambda: sl.WithConstants(sl.MLP(1), positive=["k"], c=1.0), r"positive = \['k'\] is no list of constants .*: 'c'\."),
        (lambda: sl.WithConstants(sl.MLP(1), positive="c", c=1.0), "positive = 'c' is no list of constants"),
    ],
)
def test_wrappers_that_do_not_fit_are_refused_in_words(make, words):
    with pytest.raises(sl.InputError, match=words):
        make()


@pytest.mark.parametrize(
    "init, apply, words",
    [
        (lambda key: {"n": jnp.arange(3)}, lambda p, x: x[0], r"leaf \['n'\] of type int64, but only real floating-point"),
        (lambda key: [jnp.ones(2, complex)], lambda p, x: x[0], r"leaf \[0\] of type complex128"),
        (
            lambda key: equinox.nn.MLP(1, 1, 4, 1, key=key),
            lambda model, x: model(x),
            r"leaf \.activation.*equinox\.partition\(model, equinox\.is_inexact_array\)",
        ),
        (lambda key: {}, lambda p, x: x[0], "size of PytreeNetwork = 0"),
        (lambda key: jnp.ones(2), lambda p, x: p * x[0], r"must return the shape \(\) at one point, but returns \(2,\)"),
    ],
)
def test_models_that_do_not_fit_are_refused_in_words(init, apply, words):
    with pytest.raises(sl.InputError, match=words):
        sl.from_pytree(init, apply, dim=1)


def test_models_of_the_same_functions_are_equal_and_draw_what_init_draws():
    network = NETWORKS["pytree"]
    assert network == sl.from_pytree(draw_weights, plain_model, dim=2)
    assert hash(network) == hash(sl.from_pytree(draw_weights, plain_model, dim=np.int64(2)))
    drawn = draw_weights(jax.random.key(1))
    assert network.apply(theta_of(network), POINT) == pytest.approx(float(plain_model(drawn, POINT)), rel=1e-14)


def equinox_model():
    def make(key):
        return equinox.nn.MLP(1, "scalar", 8, 1, activation=jnp.tanh, key=key)

    def init(key):
        return equinox.filter(make(key), equinox.is_inexact_array)

    static = equinox.partition(make(jax.random.key(0)), equinox.is_inexact_array)[1]
    return sl.from_pytree(init, lambda params, x: equinox.combine(params, static)(x), dim=1)


def flax_model():
    linen = pytest.importorskip("flax.linen", reason="Flax, with all that it needs, is not among the test packages")
    model = linen.Sequential([linen.Dense(8), jnp.tanh, linen.Dense(1)])
    # Flax draws float32 numbers; theta and all that is computed are float64.
    return sl.from_pytree(lambda key: model.init(key, jnp.zeros(1, jnp.float32)), model.apply, dim=1)


def plain_jax_model():
    def init(key):
        return {"a": jax.random.normal(key, (8,)), "w": jnp.linspace(1.0, 4.0, 8)[:, None], "b": jnp.linspace(-1.0, 1.0, 8)}

    return sl.from_pytree(init, lambda p, x: p["a"] @ jnp.tanh(p["w"] @ x + p["b"]), dim=1)


@pytest.mark.parametrize("make", [equinox_model, flax_model, plain_jax_model])
def test_models_of_other_libraries_train_and_have_a_spectrum(make):
    problem, network = sl.PROBLEMS["poisson_1d"](), make()
    run = sl.train(problem, network, points=60, steps=8, progress=False)
    assert run.history.loss[-1] < 0.1 * run.history.loss[0]
    assert run.history.relative_error[-1] < 0.5 * run.history.relative_error[0]
    points = tuple(jnp.asarray(x) for x in problem.sample(60, seed=0))
    jacobian = sl.LeastSquares(problem, network).dense(jnp.asarray(run.theta), points)
    assert jacobian.shape == (60, network.size)
    sketched = sl.sketched_spectrum(jacobian, rank=10, key=jax.random.key(0))
    exact = np.linalg.svd(jacobian.dense(), compute_uv=False) ** 2
    np.testing.assert_allclose(sketched.eigenvalues[:4], exact[:4], rtol=1e-3)


def test_a_residual_reads_a_constant_and_training_finds_it():
    """Heat with an unknown diffusivity κ, from measurements of u = exp(-κπ²t) sin(πx) inside the box."""
    diffusivity = 0.25

    def exact(x):
        return jnp.exp(-diffusivity * jnp.pi**2 * x[1]) * jnp.sin(jnp.pi * x[0])

    problem = sl.Problem(
        "unknown diffusivity",
        sl.Box([0.0, 0.0], [1.0, 1.0]),
        [
            sl.interior(lambda u, x: sl.partial(u, 1)(x) - u.diffusivity * sl.laplacian(u, axes=[0])(x)),
            sl.interior(lambda u, x: u(x) - exact(x), weight=10.0),
        ],
        solution=exact,
    )
    network = sl.WithConstants(sl.MLP(dim=2, width=8), diffusivity=1.0)
    run = sl.train(problem, network, points=120, steps=40, progress=False)
    found = network.constants(network.unflatten(jnp.asarray(run.theta)))["diffusivity"]
    assert found == pytest.approx(diffusivity, rel=1e-3)


@pytest.mark.parametrize("kind", USUAL_NETWORKS)
@pytest.mark.parametrize("name", sl.PROBLEMS)
def test_usual_networks_fit_every_problem(name, kind):
    problem = sl.PROBLEMS[name]()
    network = usual_network(problem, kind, 5, 1)
    assert sl.Setup(problem, network, points=40).parameters == network.size
    assert network_from_settings(json.loads(json.dumps(network.settings))) == network


def test_usual_features_follow_the_box():
    box = sl.Box([-1.0, 0.0], [1.0, 3.0])
    problem = sl.Problem("long", box, [sl.interior(lambda u, x: u(x))], axes=("x", "t"))
    assert usual_network(problem, "periodic", 5, 1) == sl.Periodic(sl.MLP(3, 5, 1), (2.0, None))
    fourier = usual_network(problem, "fourier", 5, 1)
    assert np.allclose(fourier.frequencies, [[1 / 4, 0], [0, 1 / 6], [1 / 2, 0], [0, 1 / 3]])
    # Both ends of an axis have features of their own.
    theta = fourier.init(key=jax.random.key(0))
    assert fourier.apply(theta, jnp.array([0.3, 0.0])) != pytest.approx(float(fourier.apply(theta, jnp.array([0.3, 3.0]))))
    with pytest.raises(sl.InputError, match="unknown kind of network 'forier'. Did you mean 'fourier'"):
        usual_network(problem, "forier")


def test_harmonics_are_features_of_their_own():
    network = sl.Periodic(sl.MLP(7, 6), periods=(2.0, None), harmonics=3)
    theta = network.init(key=jax.random.key(0))
    x = jnp.array([0.3, 0.7])
    features = [f(np.pi * j * 0.3) for j in (1, 2, 3) for f in (np.cos, np.sin)] + [0.7]
    assert network.apply(theta, x) == pytest.approx(float(network.network.apply(theta, jnp.array(features))))
    assert network.apply(theta, x + jnp.array([2.0, 0.0])) == pytest.approx(float(network.apply(theta, x)))
    with pytest.raises(sl.InputError, match="Periodic gives its network 5 features"):
        sl.Periodic(sl.MLP(7, 6), periods=(2.0, None), harmonics=2)
    with pytest.raises(sl.InputError, match="harmonics = 0"):
        sl.Periodic(sl.MLP(7, 6), periods=(2.0, None), harmonics=0)


def test_features_are_further_inputs():
    network = sl.WithFeatures(sl.MLP(4, 6), ["kink", lambda x: x[0] * x[1]])
    theta, x = network.init(key=jax.random.key(0)), jnp.array([-0.3, 0.7])
    expected = network.network.apply(theta, jnp.array([-0.3, 0.7, 0.3, -0.21]))
    assert network.dim == 2 and network.apply(theta, x) == pytest.approx(float(expected))
    assert network.settings is None
    named = sl.WithFeatures(sl.MLP(4, 6), ["kink", "corner"])
    assert network_from_settings(json.loads(json.dumps(named.settings))) == named
    for features, text in (("corner", "no list of names"), ([], "no list"), (["edge"], "unknown feature 'edge'")):
        with pytest.raises(sl.InputError, match=text):
            sl.WithFeatures(sl.MLP(4, 6), features)
    with pytest.raises(sl.InputError, match="leave no axis"):
        sl.WithFeatures(sl.MLP(1, 6), ["corner"])


def test_a_network_may_see_functions_alone():
    def even(x):
        return x[0] ** 2

    network = sl.OnlyFeatures(sl.MLP(2, 6), [even, lambda x: x[1]])
    theta = network.init(key=jax.random.key(0))
    left, right = (network.apply(theta, jnp.array([x, 0.7])) for x in (-0.3, 0.3))
    assert network.dim == 2 and network.settings is None and left == right
    assert right == pytest.approx(float(network.network.apply(theta, jnp.array([0.09, 0.7]))))
    named = sl.OnlyFeatures(sl.MLP(1, 6), ["corner"], dim=2)
    assert network_from_settings(json.loads(json.dumps(named.settings))) == named
    with pytest.raises(sl.InputError, match="OnlyFeatures gives its network 1 features"):
        sl.OnlyFeatures(sl.MLP(2, 6), ["corner"], dim=2)
    with pytest.raises(sl.InputError, match="dim = 0"):
        sl.OnlyFeatures(sl.MLP(1, 6), ["corner"], dim=0)
    with pytest.raises(sl.InputError, match="OnlyFeatures failed"):
        sl.OnlyFeatures(sl.MLP(2, 6), [even, lambda x: x])


def test_the_network_of_a_recipe_is_saved_by_the_problem(tmp_path):
    problem = sl.PROBLEMS["cavity"]()
    network = problem.network(width=5, depth=1)
    assert network_from_settings(json.loads(json.dumps(network.settings))) == network
    run = sl.train(problem, network, sl.adam(), points=[20, 2, 2, 2, 2], steps=2, progress=False)
    sl.save(run, tmp_path / "run.npz")
    assert sl.load(tmp_path / "run.npz").network == network
    # Another network in its place is not that of the recipe.
    assert network.around(sl.MLP(2, 7)) == sl.MLP(2, 7)
    # A problem that was not made by the catalogue leaves no note.
    assert replace(problem, name="mine").network().settings is None


def test_the_corner_function_is_harmonic_and_vanishes_on_both_sides():
    corner = sl.FEATURES["corner"]
    inside = sl.Polygon([[0, 0], [1, 0], [1, 1], [-1, 1], [-1, -1], [0, -1]]).sample(50, seed=0)
    inside = inside[np.linalg.norm(inside, axis=1) > 0.1]
    assert np.abs(jax.vmap(sl.laplacian(corner))(jnp.asarray(inside))).max() < 1e-11
    for side in (jnp.array([0.7, 0.0]), jnp.array([0.0, -0.7]), jnp.zeros(2)):
        assert abs(corner(side)) < 1e-15
    assert corner(jnp.array([0.0, 1.0])) == pytest.approx(np.sin(np.pi / 3))
    assert np.all(np.isfinite(jax.grad(corner)(jnp.zeros(2))))
