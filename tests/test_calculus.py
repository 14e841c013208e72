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


def test_divergence_over_axes_leaves_the_others_out():
    jacobian = jax.jacrev(field)(X)
    close(sl.divergence(lambda x: field(x)[:2], axes=[0, 1])(X), jacobian[0, 0] + jacobian[1, 1])
    close(sl.divergence(lambda x: field(x)[1:], axes=[2, 0])(X), jacobian[1, 2] + jacobian[2, 0])


def test_divergence_does_not_take_a_pressure_for_a_velocity():
    with pytest.raises(
        sl.InputError, match=r"2 entries for axes = \[0, 1\].*shape \(3,\): .*divergence\(lambda x: u\(x\)\[:2\], axes"
    ):
        sl.divergence(field, axes=[0, 1])(X)


OPERATORS = {
    "partial": lambda u: sl.partial(u, 0),
    "gradient": sl.gradient,
    "laplacian": sl.laplacian,
    "divergence": sl.divergence,
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(
    "x", [jnp.ones((2, 2)), jnp.float64(1.0), 0.5, [0.5, 0.5], "a"], ids=["many", "scalar", "number", "list", "text"]
)
def test_anything_but_one_point_is_refused(name, x):
    with pytest.raises(sl.InputError, match=rf"{name} takes one point, an array \(d,\), not .*write jax.vmap\({name}\(u"):
        OPERATORS[name](lambda y: y)(x)


@pytest.mark.parametrize("name", OPERATORS)
def test_points_that_are_not_floating_point_are_refused(name):
    for x in (jnp.array([1, 2]), np.array([True, False]), jnp.array([1j, 2])):
        with pytest.raises(sl.InputError, match=f"{name} takes a floating-point point, not {x.dtype}"):
            OPERATORS[name](lambda y: y)(x)


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_of_a_value_is_refused(name):
    for u in (polynomial(X), None, 3.0):
        with pytest.raises(
            sl.InputError, match=rf"{name} takes a function, not .*: write {name}\(u(, axis)?\)\(x\), not {name}\(u\(x\)"
        ):
            OPERATORS[name](u)


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_map_over_points_and_take_numpy_points(name):
    operator, x = OPERATORS[name](field), np.stack([X, 2 * X])
    close(jax.vmap(operator)(jnp.asarray(x)), jnp.stack([operator(x[0]), operator(x[1])]))


@pytest.mark.parametrize("axis", ["0", 1.0, None, True])
def test_an_axis_is_a_whole_number(axis):
    with pytest.raises(sl.InputError, match=r"axis = .* is not a whole number: write partial\(u, 0\)"):
        sl.partial(polynomial, axis)
    assert sl.partial(polynomial, np.int64(1))(X) == sl.partial(polynomial, 1)(X)


@pytest.mark.parametrize("axes", [0, [], [0, 0], ["0"], [0.0], [True], "01"])
@pytest.mark.parametrize("operator", [sl.laplacian, sl.divergence])
def test_axes_are_different_whole_numbers(operator, axes):
    with pytest.raises(sl.InputError, match=r"axes = .* is not a list of different whole numbers: write axes=\[0\]"):
        operator(field, axes=axes)


def test_axes_that_a_point_lacks_are_named():
    with pytest.raises(sl.InputError, match="axis = 3 does not exist"):
        sl.laplacian(polynomial, axes=[0, 3])(X)


def test_axes_of_a_generator_are_kept_for_every_call():
    operator = sl.laplacian(polynomial, axes=(axis for axis in (0, 1)))
    assert operator(X) == operator(X) != 0


@pytest.mark.parametrize("axes", [(0, 0, 0), (0, 1, 0), (1, 1, 0, 0), (0, 0, 0, 0), (0, 1, 2, 0, 1), (2, 2, 2, 2, 2)])
def test_derivatives_of_any_order_equal_nested_reverse_mode(axes):
    network = sl.MLP(3, 6, 2)
    theta, x = network.init(key=jax.random.key(3)), jnp.array([0.2, -0.4, 0.7])

    def u(x):
        return network.apply(theta, x)

    nested, ours = u, u
    for axis in axes:
        nested, ours = (lambda x, f=nested, i=axis: jax.grad(f)(x)[i]), sl.partial(ours, axis)
    assert ours(x) == pytest.approx(float(nested(x)), rel=1e-9, abs=1e-12)
