import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import nested_laplacian

import sketchlab as sl

X = jnp.array([0.3, -0.7, 1.1])


def polynomial(x):
    return x[0] ** 4 * x[1] + x[1] ** 3 * x[2] ** 2 + x[0] * x[2]


def field(x):
    return jnp.stack([x[0] ** 2 * x[1], jnp.sin(x[1] * x[2]), x[0] * x[2] ** 3])


@pytest.fixture(scope="module")
def network():
    mlp = sl.MLP(dim=3, width=8, depth=2)
    theta = mlp.init(key=jax.random.key(3))
    return lambda x: mlp.apply(theta, x)


@pytest.fixture(params=["polynomial", "network"])
def u(request, network):
    return polynomial if request.param == "polynomial" else network


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def test_partial_equals_reverse_mode(u):
    for axis in range(3):
        close(sl.partial(u, axis)(X), jax.grad(u)(X)[axis])


def test_gradient_equals_reverse_mode(u):
    close(sl.gradient(u)(X), jax.grad(u)(X))


def test_gradient_of_a_vector_is_the_jacobian_matrix():
    assert sl.gradient(field)(X).shape == (3, 3)
    close(sl.gradient(field)(X), jax.jacrev(field)(X))


def test_laplacian_equals_trace_of_hessian(u):
    close(sl.laplacian(u)(X), nested_laplacian(u)(X))


def test_laplacian_over_axes_leaves_the_others_out(u):
    hessian = jax.hessian(u)(X)
    close(sl.laplacian(u, axes=[0, 2])(X), hessian[0, 0] + hessian[2, 2])
    close(sl.laplacian(u, axes=[1])(X), hessian[1, 1])


def test_laplacian_of_a_vector_goes_entry_by_entry():
    close(sl.laplacian(field)(X), nested_laplacian(field)(X))


def test_divergence_equals_trace_of_jacobian():
    close(sl.divergence(field)(X), jnp.trace(jax.jacrev(field)(X)))


def test_divergence_of_gradient_is_the_laplacian(u):
    close(sl.divergence(sl.gradient(u))(X), sl.laplacian(u)(X))


def test_mixed_derivatives_equal_the_hessian(u):
    hessian = jax.hessian(u)(X)
    close(sl.partial(sl.partial(u, 0), 1)(X), hessian[0, 1])
    close(sl.partial(sl.partial(u, 2), 1)(X), hessian[2, 1])


def test_biharmonic_of_a_polynomial_by_hand():
    # Δu = 12x²y + 6yz² + 2y³ and ΔΔu = 24y + 12y + 12y.
    close(sl.laplacian(sl.laplacian(polynomial))(X), 48 * X[1])


def test_biharmonic_of_a_network_equals_nested_hessians(network):
    close(sl.laplacian(sl.laplacian(network))(X), nested_laplacian(nested_laplacian(network))(X))


@pytest.mark.parametrize("axis", [3, -1])
def test_missing_axis_is_named(axis):
    with pytest.raises(sl.InputError, match=rf"axis = {axis} does not exist: a point has the axes 0 to 2"):
        sl.partial(polynomial, axis)(X)


def test_divergence_of_a_scalar_is_refused():
    with pytest.raises(sl.InputError, match=r"d = 3 entries, but u\(x\) has shape \(\)"):
        sl.divergence(polynomial)(X)
