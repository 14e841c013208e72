"""Exercises of notebook 02: the Gramian of tangent functions, the damped step by two routes, the share of each direction."""

import tracemalloc

import numpy as np

from sketchlab.exercises.checking import as_numbers, close, exercise, need

#: (N, P) of the Jacobians that answers are tried on: more rows, as many, fewer.
SHAPES = ((7, 4), (5, 5), (4, 9))


@exercise
def check_02_gramian(answer):
    """Check ``gramian(tangents (n, P), weights (n,)) -> (P, P)``, the inner products of tangent functions by quadrature."""
    rng = np.random.default_rng(2)
    for n, parameters in ((6, 3), (9, 2), (3, 5)):
        tangents, weights = rng.standard_normal((n, parameters)), rng.uniform(0.1, 1, n)
        expected = tangents.T @ (weights[:, None] * tangents)
        found = answer(tangents, weights)
        need(
            not _is(found, tangents @ tangents.T)
            and not _is(found, (tangents @ tangents.T) * np.sqrt(np.outer(weights, weights))),
            f"Your matrix has a row for each of the n = {n} points, but G has one for each of the P = {parameters} parameters.",
            "G_ij belongs to two parameters i and j: the sum goes over the points.",
        )
        found = as_numbers(found, (parameters, parameters), "the Gramian G")
        need(
            not close(found, tangents.T @ tangents),
            "You add up all points alike: the weights are missing.",
            "An integral by quadrature is Σ weight · value; a point that stands for a longer piece counts more.",
        )
        need(
            not close(found, tangents.T @ (weights[:, None] ** 2 * tangents)),
            "Each weight is in your sum twice.",
            "The integral of a product is one integral: weigh one of the two factors, or both with √weight.",
        )
        need(
            not close(found, expected / n),
            "You divide by the number of points once more.",
            "The weights are those of an integral already: a sum, and no mean.",
        )
        need(
            not close(found, np.diag(np.diag(expected))),
            "Your G is right on its diagonal, and zero elsewhere.",
            "Two different tangent functions have an inner product too: it says how alike they are.",
        )
        need(close(found, expected), "G differs.", "G_ij = Σ over the points of weight · ∂u/∂θ_i · ∂u/∂θ_j.")


@exercise
def check_02_shares(answer):
    """Check ``shares(singular_values (k,), damping) -> (k,)``, the part of each direction that a damping leaves."""
    rng = np.random.default_rng(2)
    for k, damping in ((4, 0.3), (7, 1e-4), (3, 20.0)):
        s = np.sort(10.0 ** rng.uniform(-3, 1, k))[::-1]
        expected = s**2 / (s**2 + damping)
        found = answer(s, damping)
        need(
            not _is(found, np.sum(expected)),
            "You return the sum over all directions, the effective dimension.",
            "Return the shares one by one, (k,): the sum comes later.",
        )
        found = as_numbers(found, (k,), "the share of each direction")
        need(
            not close(found, 1 - expected),
            "You return what is left over of each direction, not what the step takes.",
            "With μ = 0 the step takes everything: every share is 1.",
        )
        need(
            not close(found, s / (s + damping)),
            "You compare μ with the singular values.",
            "μ is added to the eigenvalues of G: those are the squares.",
        )
        need(
            not close(found, s / (s**2 + damping)),
            "This is the factor in front of uᵢᵀr in the step d itself, not in Jd.",
            "The share is what the residual feels: J multiplies the component of d along vᵢ by sᵢ once more.",
        )
        need(close(found, expected), "The shares differ.", "Write Jd(μ) in terms of U: what stands in front of uᵢᵀr?")


@exercise
def check_02_step(answer):
    """Check ``damped_step(jacobian (N, P), residual (N,), damping) -> (P,)``, the damped natural step d from the SVD of J."""
    for jacobian, residual, damping in _systems():
        u, s, vt = np.linalg.svd(jacobian, full_matrices=False)
        coefficients = u.T @ residual
        expected = vt.T @ (s / (s**2 + damping) * coefficients)
        found = as_numbers(answer(jacobian, residual, damping), expected.shape, "the step d")
        _need_no_sign_error(found, expected)
        need(
            not close(found, jacobian.T @ residual),
            "This is the gradient Jᵀr: no direction has been divided by its eigenvalue.",
            "Divide the component along each vᵢ by sᵢ² + μ.",
        )
        need(
            not close(found, vt.T @ (coefficients / s)),
            "This is the step without damping.",
            "Where sᵢ² is far below μ the step should hardly move: μ belongs into the denominator.",
        )
        need(
            not close(found, vt.T @ (s / (s + damping) * coefficients))
            and not close(found, vt.T @ (coefficients / (s + damping))),
            "You add μ to the singular values.",
            "μ is added to the eigenvalues of G = JᵀJ: those are the squares.",
        )
        need(
            not close(found, vt.T @ (s**2 / (s**2 + damping) * coefficients)),
            "Your components are those of Jd, one factor sᵢ too many.",
            "s²/(s² + μ) is the share that the residual feels; d itself is before J, so one sᵢ less.",
        )
        need(
            close(found, expected),
            "The step differs.",
            "Write r in the columns of U, treat each component by itself, and add up columns of V.",
        )
    for jacobian, residual, damping in _faint():
        u, s, vt = np.linalg.svd(jacobian, full_matrices=False)
        expected = vt.T @ (s / (s**2 + damping) * (u.T @ residual))
        found = as_numbers(answer(jacobian, residual, damping), expected.shape, "the step d")
        need(
            close(found, expected, 1e-4),
            "The formula is right, but digits are lost where singular values are small, down to 1e-10 of the largest.",
            "1e-10 squared drowns in the rounding errors of JᵀJ, 1e-16. Use the SVD of J, do not form G, set nothing to zero.",
        )


@exercise
def check_02_dual_step(answer):
    """Check ``dual_step(jacobian (N, P), residual (N,), damping) -> (P,)``, the same step from the kernel K = JJᵀ."""
    for jacobian, residual, damping in _systems():
        rows = len(jacobian)
        kernel = jacobian @ jacobian.T
        weights = np.linalg.solve(kernel + damping * np.eye(rows), residual)
        expected = jacobian.T @ weights
        found = answer(jacobian, residual, damping)
        need(
            not _is(found, weights),
            "Your result has a number for each row of J: it lives in residual space.",
            "A step has P numbers: one more product brings it to the parameters.",
        )
        found = as_numbers(found, expected.shape, "the step d")
        _need_no_sign_error(found, expected)
        need(
            not close(found, jacobian.T @ residual),
            "This is the gradient Jᵀr: the kernel has not been used.",
            "Solve a system with K + μ for the residual first.",
        )
        need(
            not close(found, jacobian.T @ np.linalg.solve(kernel + damping, residual)),
            "You add μ to every entry of K.",
            "K + μ is short for K plus μ times the identity: the diagonal alone.",
        )
        need(
            not close(found, np.linalg.pinv(jacobian) @ residual),
            "This is the step without damping.",
            "Add μ to the diagonal of K before you solve.",
        )
        need(
            not close(found, jacobian.T @ ((kernel + damping * np.eye(rows)) @ residual)),
            "You multiply by K + μ.",
            "(K + μ)⁻¹ r is the solution of a linear system: solve it.",
        )
        need(
            close(found, expected),
            "The step differs.",
            "First a vector w of residual space with (K + μ) w = r, then back to the parameters.",
        )
    rng = np.random.default_rng(2)
    wide, residual = rng.standard_normal((5, 1500)), rng.standard_normal(5)
    expected = wide.T @ np.linalg.solve(wide @ wide.T + np.eye(5), residual)
    outside = not tracemalloc.is_tracing()
    if outside:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    found = answer(wide, residual, 1.0)
    peak = tracemalloc.get_traced_memory()[1] - before
    if outside:
        tracemalloc.stop()
    need(
        peak < wide.shape[1] ** 2 * 8,
        f"Right so far, but at N = 5 and P = {wide.shape[1]} your function holds a matrix of P × P numbers.",
        "K = JJᵀ is 5 × 5 there: nothing larger than J is needed.",
    )
    need(
        close(as_numbers(found, (wide.shape[1],), "the step d"), expected),
        "The step differs for a very wide J.",
        "Does the order of J and Jᵀ fit?",
    )


def _systems():
    """Yield (J, r, μ) of every shape, without small singular values: J has none below the largest by more than 100."""
    rng = np.random.default_rng(2)
    for rows, columns in SHAPES:
        left, _, right = np.linalg.svd(rng.standard_normal((rows, columns)), full_matrices=False)
        s = np.geomspace(3, 0.05, min(rows, columns))
        yield (left * s) @ right, rng.standard_normal(rows), 0.02


def _faint():
    """Yield (J, r, μ) with singular values down to 1e-10 of the largest, and a damping that leaves them free."""
    rng = np.random.default_rng(3)
    for rows, columns in SHAPES:
        left, _, right = np.linalg.svd(rng.standard_normal((rows, columns)), full_matrices=False)
        s = np.geomspace(1, 1e-10, min(rows, columns))
        yield (left * s) @ right, rng.standard_normal(rows), 1e-21


def _need_no_sign_error(found, expected):
    need(
        not close(found, -expected),
        "Your sign is the other one.",
        "The step is θ ← θ − d: d points uphill, and Jd is close to r, not to −r.",
    )


def _is(value, expected) -> bool:
    """Return whether `value` is that array, whatever else it may be."""
    try:
        array = np.asarray(value)
    except ValueError:
        return False
    return array.shape == np.shape(expected) and np.issubdtype(array.dtype, np.number) and close(array, expected)
