"""Natural gradients for physics-informed neural networks, full and sketched.

A problem says what must vanish and where; a network is an ansatz for the solution; an optimizer closes the gap. The
Gramian of the network's tangent functions decides how hard that is, and its spectrum can be looked at.
"""

import importlib
import inspect

from sketchlab.calculus import divergence, gradient, laplacian, partial
from sketchlab.combinations import Difference, Union
from sketchlab.constants import WithConstants
from sketchlab.decay import DecayBound, decay_bound
from sketchlab.decompositions import DECOMPOSITIONS, Decomposition, dual, exact, from_range_finder, growing, sketched
from sketchlab.domains import BOUNDARY, INTERIOR, SAMPLERS, Box, Domain, Face, Region
from sketchlab.equations import PROBLEMS
from sketchlab.gramian import Gramian, Spectrum, full_spectrum, kernel_spectrum
from sketchlab.history import STOP_REASONS, History, Run, TrainingWarning
from sketchlab.jacobians import Jacobian, RowBlocks, from_matrix
from sketchlab.laws import Decay, fit_decay
from sketchlab.marching import March, march
from sketchlab.measurements import Measurements, data
from sketchlab.memory import memory_at_hand
from sketchlab.networks import ACTIVATIONS, MLP, NETWORKS
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
from sketchlab.problems import Condition, Problem, boundary, face, interior
from sketchlab.pytrees import from_pytree
from sketchlab.random_matrices import SKETCHES
from sketchlab.recipes import Recipe
from sketchlab.resampling import RESAMPLINGS, Resampling, redraw, residual_adaptive
from sketchlab.residuals import LeastSquares
from sketchlab.resuming import resume
from sketchlab.routes import ROUTES, sketched_spectrum
from sketchlab.scaled import Scaled
from sketchlab.searches import SEARCHES, Move, Search, damping_path, step_grid
from sketchlab.setup import ScaleWarning, Setup
from sketchlab.shapes import Ball, Polygon
from sketchlab.sketch import NestedSketch, co_range_finder, nested_sketch, range_finder, rayleigh_ritz
from sketchlab.slabs import Slabs
from sketchlab.solving import solve
from sketchlab.spectra import Survey, condition_spectra, jacobian, spectrum, spectrum_bytes, survey
from sketchlab.storage import load, save
from sketchlab.tangents import tangent_functions
from sketchlab.trainer import Trainer, relative_error
from sketchlab.training import train, train_seeds
from sketchlab.uncertainty import StandardErrors, UncertaintyWarning, standard_errors
from sketchlab.validation import InputError
from sketchlab.verification import Verification, verify
from sketchlab.wrappers import FEATURES, Fourier, Hard, OnlyFeatures, Periodic, WithFeatures

__version__ = "0.1.0"

#: Plots, and the module that each is loaded from when it is first used.
_PLOTS = dict.fromkeys(("plot_eigenfunctions", "plot_error", "plot_solution"), "field_plots") | dict.fromkeys(
    (
        "plot_convergence",
        "plot_decay_bound",
        "plot_memory",
        "plot_near_optimality",
        "plot_shares",
        "plot_spectrum",
        "plot_spectrum_history",
    ),
    "plots",
)

#: The plots, and all that is imported above but modules.
__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    *_PLOTS,
    *(name for name, value in vars().items() if not name.startswith("_") and not inspect.ismodule(value)),
]


def __getattr__(name):
    # Matplotlib is loaded by the first plot, and widgets by the first explorer, not by the first import.
    if name in ("exercises", "explore"):
        return importlib.import_module(f"sketchlab.{name}")
    if name in _PLOTS:
        return getattr(importlib.import_module(f"sketchlab.{_PLOTS[name]}"), name)
    raise AttributeError(f"module 'sketchlab' has no attribute {name!r}")
