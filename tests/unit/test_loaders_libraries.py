"""Networks of other libraries: built by them, offline, or refused with the extra that is missing."""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import safetensors.torch
import torch
from torch import nn

from certd.errors import DigestMismatch, Forbidden, InvalidParameter, ModelError, NotFound, Unavailable
from certd.models import Declaration, draft_model, open_model
from certd.models.loading import load_specification

if TYPE_CHECKING:
    from pathlib import Path

DECLARED = Declaration(input_shape=(1, 2, 2), num_classes=3, mean=(0.0,), std=(1.0,))


def dense(num_classes: int = 3) -> nn.Module:
    """Return the network that the fakes build."""
    return nn.Sequential(nn.Flatten(), nn.Linear(4, num_classes))


def _list_models(module: ModuleType | None = None) -> list[str]:
    """Return the names of the classifiers alone where their module is named, as torchvision does."""
    classifiers = ["resnet18"]
    return classifiers if module is sys.modules["torchvision.models"] else [*classifiers, "fcn_resnet50"]


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install fakes of three libraries, with the calls that are made and no other."""

    def fake(name: str, **members: Any) -> None:
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)

    def get_model(name: str, *, weights: None, num_classes: int) -> nn.Module:
        return dense(num_classes)

    def create_model(name: str, *, pretrained: bool, num_classes: int, in_chans: int) -> nn.Module:
        assert (pretrained, in_chans) == (False, 1)
        return dense(num_classes)

    class Classifier(nn.Module):
        def __init__(self, num_labels: int) -> None:
            super().__init__()
            self.head = dense(num_labels)

        @classmethod
        def from_pretrained(
            cls, path: None, *, config: Any, state_dict: dict[str, torch.Tensor], output_loading_info: bool
        ) -> tuple[nn.Module, dict[str, list[str]]]:
            assert (path, output_loading_info) == (None, True)
            classifier = cls(config.num_labels)
            found = classifier.load_state_dict(state_dict, strict=False)
            return classifier, {"missing_keys": found.missing_keys, "unexpected_keys": found.unexpected_keys}

        def forward(self, pixel_values: torch.Tensor) -> Any:
            return SimpleNamespace(logits=self.head(pixel_values))

    def for_model(model_type: str, num_labels: int) -> Any:
        if model_type != "vit":
            raise ValueError(f"unrecognized model identifier: {model_type}")
        return SimpleNamespace(num_labels=num_labels)

    def from_config(config: Any, *, trust_remote_code: bool) -> nn.Module:
        assert trust_remote_code is False
        return Classifier(config.num_labels)

    fake("torchvision")
    fake("torchvision.models", list_models=_list_models, get_model=get_model)
    fake("timm", is_model=lambda name: name == "resnet18", create_model=create_model)
    fake(
        "transformers",
        AutoConfig=SimpleNamespace(for_model=for_model),
        AutoModelForImageClassification=SimpleNamespace(from_config=from_config),
    )


def write_huggingface(folder: Path, **config: Any) -> None:
    """Write a model as transformers saves it."""
    state = {f"head.{key}": value for key, value in dense().state_dict().items()}
    (folder / "model.safetensors").write_bytes(safetensors.torch.save(state))
    members = {"model_type": "vit", "num_labels": 3, "auto_map": {"AutoConfig": "evil.Config"}} | config
    (folder / "config.json").write_text(json.dumps(members))


@pytest.mark.parametrize("scheme", ["torchvision", "timm"])
@pytest.mark.usefixtures("libraries")
def test_a_library_s_network_takes_weights_from_a_file(scheme: str, tmp_path: Path) -> None:
    """The library builds it, the file fills it, and random numbers are left alone."""
    source = dense()
    (tmp_path / "w.safetensors").write_bytes(safetensors.torch.save(source.state_dict()))
    before = torch.get_rng_state()
    classifier = open_model(f"{scheme}:resnet18?weights=w.safetensors", DECLARED, folder=tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert classifier.specification is not None
    assert classifier.specification.architecture == f"{scheme}:resnet18"
    images = torch.rand(2, 1, 2, 2)
    assert torch.equal(classifier.module(images), source(images))
    with pytest.raises(NotFound, match=r"no .* 'other'"):
        open_model(f"{scheme}:other?weights=w.safetensors", DECLARED, folder=tmp_path)


@pytest.mark.usefixtures("libraries")
def test_torchvision_s_detectors_and_segmenters_are_no_classifiers(tmp_path: Path) -> None:
    """They are built upon weights that it downloads, even where none are asked for."""
    (tmp_path / "w.safetensors").write_bytes(safetensors.torch.save(dense().state_dict()))
    with pytest.raises(NotFound, match=r"no image classifier 'fcn_resnet50'"):
        open_model("torchvision:fcn_resnet50?weights=w.safetensors", DECLARED, folder=tmp_path)


@pytest.mark.usefixtures("libraries")
def test_a_transformers_folder_becomes_a_function_to_logits(tmp_path: Path) -> None:
    """Configuration and weights are pinned together; code that the configuration names is not run."""
    write_huggingface(tmp_path)
    draft = draft_model("hf:.", DECLARED, tmp_path).specification
    config = hashlib.sha256((tmp_path / "config.json").read_bytes()).hexdigest()
    assert draft.architecture == f"hf:{config}"
    assert load_specification(draft, tmp_path).module(torch.rand(2, 1, 2, 2)).shape == (2, 3)
    (tmp_path / "config.json").write_text('{"model_type": "vit", "num_labels": 3, "hidden_act": "relu"}')
    with pytest.raises(DigestMismatch, match="config"):
        load_specification(draft, tmp_path)


@pytest.mark.usefixtures("libraries")
def test_transformers_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """The library would fill what is missing at random and go on."""
    write_huggingface(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(safetensors.torch.save({"head.1.bias": torch.zeros(3)}))
    with pytest.raises(ModelError, match=r"missing_keys \['head\.1\.weight'\]"):
        open_model("hf:.", DECLARED, folder=tmp_path)


@pytest.mark.parametrize(
    "config", ["not json", "[]", "{}", "[" * 100_000, '{"model_type": "unknown", "num_labels": 3}']
)
@pytest.mark.usefixtures("libraries")
def test_a_configuration_that_transformers_cannot_build_is_refused(tmp_path: Path, config: str) -> None:
    """The message says what is wrong with the file."""
    write_huggingface(tmp_path)
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError, match="config"):
        open_model("hf:.", DECLARED, folder=tmp_path)


@pytest.mark.parametrize(
    "members",
    [
        {"model_type": "timm_wrapper", "architecture": "resnet18"},
        {"vision_config": {"model_type": "timm_backbone"}},
        {"attn_implementation": "someone/kernel"},
        {"layers": [{"_attn_implementation": {"": "flash_attention_2"}}]},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        {"backbone": "microsoft/resnet-50"},
        {"use_pretrained_backbone": True},
        {"use_timm_backbone": True},
    ],
)
@pytest.mark.usefixtures("libraries")
def test_a_configuration_that_reaches_beyond_its_folder_is_refused(
    tmp_path: Path, members: dict[str, Any]
) -> None:
    """Other libraries' weights, kernels and backbones of a hub: whatever opens a path or an address."""
    write_huggingface(tmp_path, **members)
    with pytest.raises(ModelError, match=r"config\.json asks for .*weights"):
        open_model("hf:.", DECLARED, folder=tmp_path)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.usefixtures("libraries")
def test_the_hub_is_out_of_reach_while_transformers_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    """Whatever it asks there is refused by its own client; afterwards the process is as it was."""
    constants = ModuleType("huggingface_hub.constants")
    vars(constants).update(HF_HUB_OFFLINE=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", constants)
    seen = []
    factory: Any = sys.modules["transformers"].AutoModelForImageClassification
    build = factory.from_config

    def watched(config: Any, *, trust_remote_code: bool) -> nn.Module:
        seen.append(constants.HF_HUB_OFFLINE)
        if fails:
            raise OSError("We couldn't connect")
        built: nn.Module = build(config, trust_remote_code=trust_remote_code)
        return built

    factory.from_config = watched
    write_huggingface(tmp_path)
    with pytest.raises(ModelError, match="couldn't connect") if fails else nullcontext():
        open_model("hf:.", DECLARED, folder=tmp_path)
    assert seen == [True]
    assert constants.HF_HUB_OFFLINE is False


@pytest.mark.parametrize(
    ("uri", "module", "extra"),
    [
        ("torchvision:a?weights=w.pth", "torchvision.models", "torchvision"),
        ("timm:a?weights=w.pth", "timm", "timm"),
        ("hf:.", "transformers", "hf"),
        ("onnx:w.pth", "onnxruntime", "onnx"),
    ],
)
def test_a_missing_library_is_told_as_a_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, module: str, extra: str
) -> None:
    """The refusal names the extra."""
    monkeypatch.setitem(sys.modules, module, None)
    write_huggingface(tmp_path)
    torch.save(dense().state_dict(), tmp_path / "w.pth")
    with pytest.raises(Unavailable, match=rf"pip install 'certd\[{extra}\]'"):
        open_model(uri, DECLARED, folder=tmp_path)


@pytest.mark.parametrize("uri", ["timm:resnet18", "torchvision:resnet18?weights=a&pretrained=1", "ftp:file"])
def test_nothing_is_downloaded_and_no_other_source_is_known(uri: str) -> None:
    """A library's network without a file of weights is refused, not fetched."""
    with pytest.raises(InvalidParameter):
        open_model(uri, DECLARED)


def test_code_runs_only_where_that_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module is not even imported unless the caller says so."""
    (tmp_path / "users_model.py").write_text(
        "from pathlib import Path\nfrom torch import nn\n"
        f"Path({str(tmp_path)!r}, 'ran').touch()\n"
        "def make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))\n"
        "def number():\n    return 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Forbidden, match="command line"):
        open_model("py:users_model:make", DECLARED)
    assert not (tmp_path / "ran").exists()
    classifier = open_model("py:users_model:make", DECLARED, allow_code=True)
    assert classifier.module(torch.rand(2, 1, 2, 2)).shape == (2, 3)
    with pytest.raises(InvalidParameter, match="not a torch"):
        open_model("py:users_model:number", DECLARED, allow_code=True)
    for target in ("users_model:other", "no_such_module:make"):
        with pytest.raises(NotFound, match="cannot be made"):
            open_model(f"py:{target}", DECLARED, allow_code=True)


def test_code_that_denoises_is_told_the_noise_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A factory with a parameter sigma gets it, and is refused where nobody knows it."""
    (tmp_path / "users_denoiser.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Denoised(nn.Module):\n"
        "    def __init__(self, sigma):\n        super().__init__()\n        self.sigma = sigma\n"
        "    def forward(self, images):\n        return torch.full((len(images), 3), self.sigma)\n"
        "def make(sigma):\n    return Denoised(sigma)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    made = open_model("py:users_denoiser:make", DECLARED, allow_code=True, sigma=0.5)
    assert made.module(torch.rand(1, 1, 2, 2)).tolist() == [[0.5, 0.5, 0.5]]
    with pytest.raises(InvalidParameter, match="noise level"):
        open_model("py:users_denoiser:make", DECLARED, allow_code=True)


@pytest.mark.parametrize(
    ("declaration", "complaint"),
    [
        (Declaration(), "input shape"),
        (Declaration(input_shape=(1, 2, 2), num_classes=3, mean=(0.0,)), "go together"),
    ],
)
def test_code_does_not_say_what_it_takes_so_the_user_must(
    monkeypatch: pytest.MonkeyPatch, declaration: Declaration, complaint: str
) -> None:
    """Shape and classes are declared, and a mean never without a scale."""
    module = ModuleType("users_other_model")
    vars(module)["make"] = dense
    monkeypatch.setitem(sys.modules, "users_other_model", module)
    with pytest.raises(InvalidParameter, match=complaint):
        open_model("py:users_other_model:make", declaration, allow_code=True)
