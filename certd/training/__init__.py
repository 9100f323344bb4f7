"""Train networks for smoothing: recipes, and a loop that goes on where it was stopped."""

from certd.training.loop import Epoch, train
from certd.training.recipe import GaussianAugmentation, Recipe
from certd.training.settings import TrainingSettings
from certd.training.state import TrainingState

__all__ = ["Epoch", "GaussianAugmentation", "Recipe", "TrainingSettings", "TrainingState", "train"]
