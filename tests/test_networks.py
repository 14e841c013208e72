import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import explicit_mlp

import sketchlab as sl


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
    with pytest.raises(sl.InputError, match=f"{name} = {value!r} is not a whole number of at least 1"):
        sl.MLP(**{"dim": 1} | {name: value})


def test_initial_parameters_do_not_depend_on_how_many_numbers_are_drawn_at_once():
    network, key = sl.MLP(2, 24, 2), jax.random.key(3)
    pieces = []
    for layer_key, (rows, columns) in zip(jax.random.split(key, 3), network.layers, strict=True):
        weights = jax.random.normal(layer_key, (rows * columns,), "float64") * (2 / (rows + columns)) ** 0.5
        pieces += [weights, np.zeros(rows)]
    assert np.array_equal(network.init(key=key, dtype="float64"), np.concatenate(pieces))


def test_embedded_in_a_wider_network_it_is_the_same_function():
    network, wider = (sl.MLP(2, width, 3, outputs=2, activation="softplus") for width in (5, 9))
    theta, v = (jax.random.normal(jax.random.key(i), (network.size,)) for i in range(2))
    x = jnp.array([0.3, -0.7])
    expected = jax.jvp(lambda theta: network.apply(theta, x), (theta,), (v,))
    found = jax.jvp(lambda theta: wider.apply(theta, x), (network.embed(theta, wider),), (network.embed(v, wider),))
    np.testing.assert_allclose(np.array(found), np.array(expected), rtol=1e-13)
