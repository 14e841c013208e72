"""Answers to notebook 02 that look right."""

import numpy as np


def mean_instead_of_sum(tangents, weights):
    return tangents.T @ (weights[:, None] * tangents) / len(weights)


def by_points(tangents, weights):
    scaled = np.sqrt(weights)[:, None] * tangents
    return scaled @ scaled.T


def lengths_only(tangents, weights):
    return np.diag(np.sum(weights[:, None] * tangents**2, axis=0))


def by_svd(jacobian, residual, factors):
    """Return V factors(s) Uᵀr."""
    u, s, vt = np.linalg.svd(jacobian, full_matrices=False)
    return vt.T @ (factors(s) * (u.T @ residual))


def normal_equations(jacobian, residual, damping):
    gramian = jacobian.T @ jacobian
    return np.linalg.solve(gramian + damping * np.eye(len(gramian)), jacobian.T @ residual)


def cut_off(jacobian, residual, damping):
    return by_svd(jacobian, residual, lambda s: np.where(s > 1e-6 * s[0], s / (s**2 + damping), 0))


def in_residual_space(jacobian, residual, damping):
    return np.linalg.solve(jacobian @ jacobian.T + damping * np.eye(len(jacobian)), residual)


def dual(jacobian, residual, damping_of_kernel):
    return jacobian.T @ np.linalg.solve(damping_of_kernel(jacobian @ jacobian.T), residual)


WRONG = {
    "check_02_gramian": [
        (lambda tangents, weights: tangents.T @ tangents, "weights are missing"),
        (lambda tangents, weights: tangents.T @ (weights[:, None] ** 2 * tangents), "in your sum twice"),
        (mean_instead_of_sum, "no mean"),
        (by_points, "the sum goes over the points"),
        (lengths_only, "zero elsewhere"),
        (lambda tangents, weights: -(tangents.T @ (weights[:, None] * tangents)), "G differs"),
    ],
    "check_02_shares": [
        (lambda s, damping: np.sum(s**2 / (s**2 + damping)), "effective dimension"),
        (lambda s, damping: damping / (s**2 + damping), "left over"),
        (lambda s, damping: s / (s + damping), "with the singular values"),
        (lambda s, damping: s / (s**2 + damping), "not in Jd"),
        (lambda s, damping: s**2 / (s**2 + damping**2), "The shares differ"),
    ],
    "check_02_step": [
        (lambda j, r, damping: -by_svd(j, r, lambda s: s / (s**2 + damping)), "sign is the other one"),
        (lambda j, r, damping: j.T @ r, "This is the gradient"),
        (lambda j, r, damping: by_svd(j, r, lambda s: 1 / s), "without damping"),
        (lambda j, r, damping: by_svd(j, r, lambda s: 1 / (s + damping)), "add μ to the singular values"),
        (lambda j, r, damping: by_svd(j, r, lambda s: s**2 / (s**2 + damping)), "one factor sᵢ too many"),
        (normal_equations, "digits are lost"),
        (lambda j, r, damping: by_svd(j, r, lambda s: s / (s**2 + damping**2)), "The step differs"),
    ],
    "check_02_dual_step": [
        (in_residual_space, "lives in residual space"),
        (lambda j, r, damping: -dual(j, r, lambda k: k + damping * np.eye(len(k))), "sign is the other one"),
        (lambda j, r, damping: dual(j, r, lambda k: k + damping), "every entry of K"),
        (lambda j, r, damping: np.linalg.pinv(j) @ r, "without damping"),
        (lambda j, r, damping: j.T @ ((j @ j.T + damping * np.eye(len(j))) @ r), "multiply by K"),
        (normal_equations, "P × P numbers"),
        (lambda j, r, damping: j.T @ r, "This is the gradient"),
        (lambda j, r, damping: dual(j, r, lambda k: k + damping**2 * np.eye(len(k))), "The step differs"),
    ],
}
