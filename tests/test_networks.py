import json
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import explicit_mlp

import sketchlab as sl
from sketchlab.networks import apply, check_network, network_from_settings


@dataclass(frozen=True)
class Line:
    """A network of one's own, u(x) = a x, with all that is asked for and nothing else."""

    dim: int = 1
    outputs: int = 1
    size: int = 1

    def init(self, *, key, dtype=None):
        return jax.random.normal(key, (1,), dtype)

    def unflatten(self, theta):
        return theta

    def evaluate(self, a, x):
        return a[0] * x[0]


class Derived(sl.MLP):
    """The shortest way to exact boundary values, but not a plain MLP."""

    def evaluate(self, layers, x):
        return x[0] * (1 - x[0]) * super().evaluate(layers, x)


@pytest.mark.parametrize("outputs, depth", [(1, 1), (1, 3), (3, 2)])
def test_apply_equals_the_formula_written_out(outputs, depth):
    network = sl.MLP(dim=2, width=5, depth=depth, outputs=outputs)
    theta = jax.random.normal(jax.random.key(1), (network.size,))  # biases too, which init leaves at zero
    x = jnp.array([0.3, -0.8])
    expected = explicit_mlp(network, theta, x)
    u = network.apply(theta, x)
    assert u.shape == (() if outputs == 1 else (outputs,))
    np.testing.assert_allclose(u, expected[0] if outputs == 1 else expected, rtol=1e-13)


def test_size_counts_weights_and_biases():
    network = sl.MLP(dim=2, width=32, depth=2)
    assert network.size == 2 * 32 + 32 + 32 * 32 + 32 + 32 + 1 == 1185
    assert network.init(key=jax.random.key(0)).shape == (1185,)


def test_init_has_glorot_variance_and_zero_biases():
    network = sl.MLP(dim=40, width=100, depth=2, outputs=20)
    for weights, biases in network.unflatten(network.init(key=jax.random.key(0))):
        rows, columns = weights.shape
        # Relative standard deviation of a variance estimate: sqrt(2 / n), below 4 % for the 2000 weights of the last layer.
        assert jnp.var(weights) == pytest.approx(2 / (rows + columns), rel=5 * (2 / weights.size) ** 0.5)
        assert jnp.all(biases == 0)


def test_layers_are_drawn_independently_and_from_the_key():
    network = sl.MLP(dim=8, width=8, depth=1, outputs=8)
    (first, _), (second, _) = network.unflatten(network.init(key=jax.random.key(0)))
    assert not jnp.any(first == second)
    assert not jnp.array_equal(network.init(key=jax.random.key(0)), network.init(key=jax.random.key(1)))


def test_dtype_is_kept():
    assert sl.MLP(dim=1, width=4).init(key=jax.random.key(0), dtype=jnp.float32).dtype == jnp.float32


@pytest.mark.parametrize("name", sl.ACTIVATIONS)
def test_every_activation_is_applied_to_hidden_units_only_and_has_two_derivatives(name):
    network = sl.MLP(dim=1, width=3, depth=1, activation=name)
    theta = jnp.linspace(0.2, 1.5, network.size)
    (w, b), (a, c) = network.unflatten(theta)
    expected = a[0] @ sl.ACTIVATIONS[name](w[:, 0] * 0.7 + b) + c[0]
    assert network.apply(theta, jnp.array([0.7])) == pytest.approx(float(expected))
    assert abs(jax.hessian(network.apply, argnums=1)(theta, jnp.array([0.7]))[0, 0]) > 1e-3


def test_an_unknown_activation_is_named():
    with pytest.raises(sl.InputError, match="unknown activation 'tahn'. Did you mean 'tanh'"):
        sl.MLP(dim=1, activation="tahn")


@pytest.mark.parametrize("name", ["dim", "width", "depth", "outputs"])
@pytest.mark.parametrize("value", [0, -3, 2.0, "8", True])
def test_bad_sizes_are_named(name, value):
    with pytest.raises(sl.InputError, match=f"{name} = {value!r} is not a whole number between 1 and"):
        sl.MLP(**{"dim": 1} | {name: value})


def test_initial_parameters_do_not_depend_on_how_many_numbers_are_drawn_at_once():
    network, key = sl.MLP(2, 24, 2), jax.random.key(3)
    pieces = []
    for layer_key, (rows, columns) in zip(jax.random.split(key, 3), network.layers, strict=True):
        weights = jax.random.normal(layer_key, (rows * columns,), "float64") * (2 / (rows + columns)) ** 0.5
        pieces += [weights, np.zeros(rows)]
    assert np.array_equal(network.init(key=key, dtype="float64"), np.concatenate(pieces))


def test_leaves_of_the_cut_parameters_are_theta():
    network = sl.MLP(dim=2, width=5, depth=2, outputs=3)
    theta = jnp.arange(1.0, network.size + 1)
    leaves = jax.tree.leaves(network.unflatten(theta))
    assert np.array_equal(np.concatenate([leaf.ravel() for leaf in leaves]), theta)


@pytest.mark.parametrize("make", [lambda width: sl.MLP(2, width), lambda width: sl.MLP(dim=2, width=width, activation="sin")])
def test_numpy_sizes_become_ints_that_json_takes(make):
    network = make(np.arange(9)[8])
    assert network == make(8) and type(network.width) is int
    assert network_from_settings(json.loads(json.dumps(network.settings))) == network


def test_what_is_derived_from_mlp_does_not_pass_for_one(monkeypatch):
    network = Derived(1, 8)
    with pytest.raises(AttributeError, match=r"Derived is not in sl\.NETWORKS, so it has no settings"):
        network.settings  # noqa: B018
    monkeypatch.setitem(sl.NETWORKS, "derived", Derived)
    assert type(network_from_settings(network.settings)) is Derived


@pytest.mark.parametrize(
    "settings, words",
    [
        (None, r"holds functions or is not in sl\.NETWORKS: give the network itself, as in load\(file, network=…\)"),
        ({"name": "mpl"}, "unknown network 'mpl'. Did you mean 'mlp'"),
        ({"name": "mlp", "dim": 2, "breadth": 3}, "MLP has no option 'breadth'. Did you mean 'spread'"),
        ({"dim": 2}, "unknown network None"),
    ],
)
def test_settings_that_make_no_network_are_explained(settings, words):
    with pytest.raises(sl.InputError, match=words):
        network_from_settings(settings)


def test_a_network_of_ones_own_needs_no_more_than_the_protocol():
    check_network(Line())
    assert apply(Line(), jnp.array([3.0]), jnp.array([2.0])) == 6
    assert not hasattr(Line(), "settings")


@pytest.mark.parametrize("name", ["init", "unflatten", "evaluate"])
def test_what_a_network_lacks_is_named(name):
    methods = {n: getattr(Line, n) for n in ("init", "unflatten", "evaluate") if n != name}
    partial = type("Partial", (), methods | {"dim": 1, "outputs": 1, "size": 1})()
    with pytest.raises(sl.InputError, match=f"of type Partial, which lacks {name}\\. Give the problem first"):
        check_network(partial)


@pytest.mark.parametrize(
    "network, words",
    [
        (sl.MLP, r"network = MLP is a class, not a network: make one first, as in sl\.MLP\(dim=2\)"),
        (
            sl.adam(),
            "of type Optimizer, which lacks dim, outputs, size, unflatten, evaluate. Give the problem first, then the net",
        ),
        (sl.PROBLEMS["heat_1d"](), "of type Problem, which lacks size, init, unflatten, evaluate"),
        ("mlp", "of type str, which lacks"),
        (Line(dim=1.5), "dim of Line = 1.5 is not a whole number"),
        (Line(dim=np.array(1)), "dim of Line"),
        (Line(size=0), "size of Line = 0 is not a whole number of at least 1"),
        (Line(outputs=2), r"Line with outputs = 2 must return the shape \(2,\) at one point, but returns \(\)"),
    ],
)
def test_what_is_no_network_is_refused_in_words(network, words):
    with pytest.raises(sl.InputError, match=words):
        check_network(network)


def test_a_field_that_cannot_be_hashed_is_refused():
    @dataclass(frozen=True)
    class Scaled(Line):
        scale: np.ndarray | tuple = ()

    check_network(Scaled(scale=(1.0, 2.0)))
    with pytest.raises(sl.InputError, match="Scaled cannot be hashed .*ndarray.*tuples instead of arrays or lists"):
        check_network(Scaled(scale=np.ones(2)))


def test_leaves_that_are_not_all_of_theta_are_refused():
    class Short(Line):
        def unflatten(self, theta):
            return theta[:1]

    with pytest.raises(sl.InputError, match=r"Short has size = 2, but unflatten\(theta\) has 1 entries"):
        check_network(Short(size=2))


def test_the_first_layer_begins_with_the_scales_that_are_given():
    network = sl.MLP(2, width=4000, depth=1, activation="sin", scales=(5.0, 0.1), spread=np.pi)
    (weights, biases), _ = network.unflatten(network.init(key=jax.random.key(0)))
    np.testing.assert_allclose(np.std(weights, axis=0), [5.0, 0.1], rtol=0.05)
    assert np.abs(weights).max(axis=0) == pytest.approx([5.0 * 3**0.5, 0.1 * 3**0.5], rel=1e-2)
    assert np.abs(biases).max() == pytest.approx(np.pi, rel=1e-2) and abs(np.mean(biases)) < 0.15
    # Weights, biases and axes are independent.
    assert np.abs(np.corrcoef(np.column_stack([weights, biases]).T) - np.eye(3)).max() < 0.06
    assert sl.MLP(2, 4, scales=3).scales == (3.0, 3.0)
    # What was drawn without them stays.
    plain, spread = (sl.MLP(2, 8, 1, spread=s).init(key=jax.random.key(1)) for s in (0.0, 1.0))
    np.testing.assert_array_equal(np.delete(plain, np.s_[16:24]), np.delete(spread, np.s_[16:24]))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"scales": (1.0, 2.0, 3.0)}, "are not 2 numbers, one for each axis"),
        ({"scales": (1.0, -2.0)}, "scale = -2.0 is not a number in"),
        ({"scales": "large"}, "scales"),
        ({"spread": -1.0}, "spread = -1.0 is not a number in"),
        ({"spread": np.nan}, "spread = nan"),
    ],
)
def test_scales_that_are_none_are_refused(options, text):
    with pytest.raises(sl.InputError, match=text):
        sl.MLP(2, 4, **options)
