"""Train and register the classifier of digits: ``python -m certd.models.builtin.train_digits_cnn``.

Every batch is a fresh draw of images and of Gaussian noise, in pixel units and before normalisation, as in
Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, section 3.3. One seed fixes the run on one machine.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import safetensors.torch
import torch
from torch import nn

from certd.datasets import load_dataset
from certd.models.architectures import DigitsCnn
from certd.models.normalized import Normalized
from certd.models.registry import BUILTIN_FOLDER
from certd.models.specification import ModelSpecification

if TYPE_CHECKING:
    from pathlib import Path

NAME = "digits-cnn"
SIGMA = 0.25
MEAN, STD = (0.305,), (0.376,)
SEED = 0
STEPS = 4000
BATCH_SIZE = 256
PEAK_LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.1


def train(seed: int = SEED, steps: int = STEPS) -> DigitsCnn:
    """Return the network trained on ``digits-train`` under noise; the held-out digits are never looked at."""
    torch.manual_seed(seed)
    images, labels = _training_tensors()
    network = DigitsCnn((1, 8, 8), 10)
    classifier = Normalized(network, MEAN, STD)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(len(images), (BATCH_SIZE,))
        noisy = images[batch] + SIGMA * torch.randn(BATCH_SIZE, 1, 8, 8)
        loss = nn.functional.cross_entropy(classifier(noisy), labels[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return network


def register(network: DigitsCnn, folder: Path = BUILTIN_FOLDER) -> ModelSpecification:
    """Write the weights and the sidecar that names them into ``folder``."""
    weights = folder / f"{NAME}.safetensors"
    weights.write_bytes(safetensors.torch.save(network.state_dict()))
    specification = ModelSpecification(
        name=NAME,
        architecture="digits-cnn",
        uri=weights.name,
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        input_shape=(1, 8, 8),
        num_classes=10,
        mean=MEAN,
        std=STD,
        training_sigma=SIGMA,
        description="Small CNN for the 8 by 8 digits of scikit-learn, trained under Gaussian noise.",
    )
    (folder / f"{NAME}.json").write_text(specification.model_dump_json(indent=2) + "\n")
    return specification


def _training_tensors() -> tuple[torch.Tensor, torch.Tensor]:
    dataset = load_dataset("digits-train")
    return torch.from_numpy(dataset.images).float() / 255, torch.as_tensor(dataset.labels)


if __name__ == "__main__":
    torch.set_num_threads(1)
    register(train())
