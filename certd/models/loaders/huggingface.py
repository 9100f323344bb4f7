"""Image classifiers of transformers, rebuilt from a ``config.json`` on disk."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from certd.datasets.extras import import_extra
from certd.errors import ModelError
from certd.models.loaders.weights_file import read_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

REFUSED = ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")
"""What transformers reports and goes on without."""
WRAPPERS = frozenset({"timm_wrapper", "timm_backbone"})
"""Networks of another library, which loads what weights it likes."""
FETCHING = frozenset({"quantization_config", "backbone", "use_pretrained_backbone", "use_timm_backbone"})
OWN_ATTENTION = frozenset({"eager", "sdpa"})
"""Implementations that come with torch; any other may be a kernel that a hub provides."""
_hub_lock = threading.Lock()


class Logits(nn.Module):
    """Take the logits out of what a transformers classifier returns."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``."""
        logits: torch.Tensor = self.classifier(pixel_values=images).logits
        return logits


def read_huggingface(config: Path, sha256: str, state: Mapping[str, torch.Tensor], name: str) -> Logits:
    """Return the classifier that ``config`` describes, with the weights in ``state``.

    transformers itself assigns the weights, since it renames them between its versions. Code beside the
    configuration is never run, and a configuration that names weights or kernels elsewhere is refused. The
    configuration is part of the function, so its digest is checked too.

    Args:
        config: The model's ``config.json``.
        sha256: Its digest, which is part of the architecture's name.
        state: Tensors by name.
        name: What to call the file of weights in a refusal.

    Raises:
        Unavailable: If transformers is not installed.
        NotFound: If the configuration is gone.
        DigestMismatch: If it is not the configuration that was registered.
        ModelError: If it describes no image classifier, asks for more than lies in the file of weights, or
            these are not exactly its own.
    """
    members = _members(read_weights(config, sha256), config.name)
    transformers = import_extra("transformers", "hf")
    try:
        with torch.random.fork_rng(devices=[]), _offline():
            classifier, report = _assigned(transformers, members, state)
    except (ValueError, TypeError, KeyError, ImportError, OSError, RuntimeError) as error:
        raise ModelError(f"transformers builds no image classifier from {config.name}: {error}.") from error
    problems = [f"{kind} {sorted(map(str, report[kind]))[:3]}" for kind in REFUSED if report.get(kind)]
    if problems:
        raise ModelError(f"{name} does not hold the weights of this architecture: {', '.join(problems)}.")
    return Logits(classifier.float())


def _assigned(
    transformers: Any, members: Mapping[str, Any], state: Mapping[str, torch.Tensor]
) -> tuple[nn.Module, Mapping[str, Any]]:
    described = transformers.AutoConfig.for_model(**members)
    empty = transformers.AutoModelForImageClassification.from_config(described, trust_remote_code=False)
    classifier, report = type(empty).from_pretrained(
        None, config=described, state_dict=dict(state), output_loading_info=True
    )
    return classifier, report


def _members(data: bytes, name: str) -> dict[str, Any]:
    try:
        members = json.loads(data)
        reaching = next(_reaching(members), None)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name} is no JSON: {error}.") from error
    if not isinstance(members, dict) or "model_type" not in members:
        raise ModelError(f"{name} names no model_type, so it is no configuration of transformers.")
    if reaching is not None:
        raise ModelError(
            f"{name} asks for {reaching}, which may come from elsewhere than from its file of weights. Save "
            "the model without it."
        )
    # Names of Python files beside the configuration: following them would run them.
    members.pop("auto_map", None)
    return members


def _reaching(value: object) -> Iterator[str]:
    """Yield the members, at any depth, by which a configuration opens another file or an address."""
    if isinstance(value, list):
        for each in value:
            yield from _reaching(each)
    if isinstance(value, dict):
        for key, member in value.items():
            wraps = key == "model_type" and str(member) in WRAPPERS
            if wraps or (key in FETCHING and member) or ("_implementation" in key and _is_foreign(member)):
                yield f"{key} {str(member)[:80]!r}"
            yield from _reaching(member)


def _is_foreign(implementation: object) -> bool:
    if isinstance(implementation, dict):
        return any(_is_foreign(each) for each in implementation.values())
    return isinstance(implementation, str) and implementation not in OWN_ATTENTION


@contextmanager
def _offline() -> Iterator[None]:
    """Let the hub's client refuse every request of this process meanwhile, as its own setting does."""
    constants: Any = sys.modules.get("huggingface_hub.constants")
    if constants is None:
        yield
        return
    with _hub_lock:
        before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = True
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before
