"""Natural gradients for physics-informed neural networks, full and sketched.

A problem says what must vanish and where; a network is an ansatz for the solution; an optimizer closes the gap. The
Gramian of the network's tangent functions decides how hard that is, and its spectrum can be looked at.
"""

import importlib

from sketchlab.calculus import divergence, gradient, laplacian, partial
from sketchlab.damping import SEARCHES, damping_path, step_grid
from sketchlab.decay import DecayBound, decay_bound
from sketchlab.domains import SAMPLERS, Box, Face
from sketchlab.gramian import Gramian, Spectrum, full_spectrum, kernel_spectrum
from sketchlab.jacobians import Jacobian, RowBlocks, from_matrix
from sketchlab.networks import ACTIVATIONS, MLP
from sketchlab.optimality import NearOptimality, halko_bounds, near_optimality
from sketchlab.optimizers import (
    OPTIMIZERS,
    Optimizer,
    StepInfo,
    adam,
    dual_natural_gradient,
    gradient_descent,
    lbfgs,
    natural_gradient,
    sketched_natural_gradient,
)
from sketchlab.problems import PROBLEMS, Condition, Problem, boundary, face, interior
from sketchlab.random_matrices import SKETCHES
from sketchlab.resampling import RESAMPLINGS, Resampling, redraw, residual_adaptive
from sketchlab.residuals import LeastSquares
from sketchlab.sketch import ROUTES, NestedSketch, co_range_finder, nested_sketch, range_finder, rayleigh_ritz, sketched_spectrum
from sketchlab.spectra import (
    Decay,
    Survey,
    condition_spectra,
    fit_decay,
    jacobian,
    spectrum,
    spectrum_bytes,
    survey,
    tangent_functions,
)
from sketchlab.training import History, Run, Trainer, load, save, train
from sketchlab.validation import InputError

__version__ = "0.1.0"

_PLOTS = (
    "plot_convergence",
    "plot_decay_bound",
    "plot_eigenfunctions",
    "plot_error",
    "plot_memory",
    "plot_near_optimality",
    "plot_shares",
    "plot_solution",
    "plot_spectrum",
    "plot_spectrum_history",
)

__all__ = [
    *_PLOTS,
    "ACTIVATIONS",
    "MLP",
    "OPTIMIZERS",
    "PROBLEMS",
    "RESAMPLINGS",
    "ROUTES",
    "RowBlocks",
    "SAMPLERS",
    "SEARCHES",
    "SKETCHES",
    "Box",
    "Condition",
    "Decay",
    "DecayBound",
    "Face",
    "Gramian",
    "History",
    "InputError",
    "Jacobian",
    "LeastSquares",
    "NearOptimality",
    "NestedSketch",
    "Optimizer",
    "Problem",
    "Resampling",
    "Run",
    "Spectrum",
    "StepInfo",
    "Survey",
    "Trainer",
    "adam",
    "boundary",
    "co_range_finder",
    "condition_spectra",
    "damping_path",
    "decay_bound",
    "divergence",
    "dual_natural_gradient",
    "face",
    "fit_decay",
    "from_matrix",
    "full_spectrum",
    "gradient",
    "gradient_descent",
    "halko_bounds",
    "interior",
    "jacobian",
    "kernel_spectrum",
    "laplacian",
    "lbfgs",
    "load",
    "natural_gradient",
    "near_optimality",
    "nested_sketch",
    "partial",
    "range_finder",
    "rayleigh_ritz",
    "redraw",
    "residual_adaptive",
    "save",
    "sketched_natural_gradient",
    "sketched_spectrum",
    "spectrum",
    "spectrum_bytes",
    "step_grid",
    "survey",
    "tangent_functions",
    "train",
]


def __getattr__(name):
    # Matplotlib is loaded by the first plot, and widgets by the first explorer, not by the first import.
    if name in ("exercises", "explore"):
        return importlib.import_module(f"sketchlab.{name}")
    if name in _PLOTS:
        from sketchlab import plots

        return getattr(plots, name)
    raise AttributeError(f"module 'sketchlab' has no attribute {name!r}")
