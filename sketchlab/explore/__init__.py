"""Explorers: widgets in which the mathematics answers to every move of a control. They need the extra ``sketchlab[lab]``.

Each is one line: ``sl.explore.spectrum()``. To add one, write a file with a subclass of `Explorer` and enter it here.
"""

from sketchlab.explore.decay_explorer import DecayExplorer as decay
from sketchlab.explore.equation_explorer import EquationExplorer as equation
from sketchlab.explore.explorer import Explorer
from sketchlab.explore.prediction import Prediction as predict
from sketchlab.explore.race_explorer import RaceExplorer as race
from sketchlab.explore.scaling_explorer import ScalingExplorer as scaling
from sketchlab.explore.spectrum_explorer import SpectrumExplorer as spectrum
from sketchlab.explore.still import show
from sketchlab.explore.training_explorer import TrainingExplorer as training
from sketchlab.validation import Catalogue, check_instance

#: The explorers by name.
EXPLORERS = Catalogue("explorer", {made.name: made for made in (spectrum, training, race, scaling, decay, equation)})

__all__ = ["EXPLORERS", "decay", "equation", "from_settings", "predict", "race", "scaling", "show", "spectrum", "training"]


def from_settings(settings: dict) -> Explorer:
    """Bring back an explorer from its ``settings``. The text of an equation among them is not run before Run is pressed.

    Raises
    ------
    InputError
        If there is no such explorer, control or value; a problem or network of one's own has to be given to the explorer itself.
    """
    choices = dict(check_instance("settings", settings, dict, "those of an explorer, as explorer.settings"))
    return EXPLORERS[choices.pop("explorer", None)].from_settings(choices)
