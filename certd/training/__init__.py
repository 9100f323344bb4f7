"""Train networks for smoothing: recipes, and a loop that goes on where it was stopped."""

from certd.training.easy_images import EasyImages, radius_weights
from certd.training.logit_grid import ChosenTransform, choose_transform
from certd.training.loop import Epoch, train
from certd.training.mixing import MixingTraining, train_mixing_network, write_mixing_network
from certd.training.presets import TRAINING_PRESETS, TrainingPreset, choose_recipe
from certd.training.recipe import GaussianAugmentation, Recipe
from certd.training.served import ServedImages
from certd.training.settings import TrainingSettings
from certd.training.sphere_attack import attack_on_sphere
from certd.training.state import TrainingState

__all__ = [
    "TRAINING_PRESETS",
    "ChosenTransform",
    "EasyImages",
    "Epoch",
    "GaussianAugmentation",
    "MixingTraining",
    "Recipe",
    "ServedImages",
    "TrainingPreset",
    "TrainingSettings",
    "TrainingState",
    "attack_on_sphere",
    "choose_recipe",
    "choose_transform",
    "radius_weights",
    "train",
    "train_mixing_network",
    "write_mixing_network",
]
