"""Checkpoints are read without running them, and fit whatever wrapper they were saved under."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from certd.errors import ModelError
from certd.models.loaders.assignment import assign_state
from certd.models.loaders.checkpoint import read_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


def saved(content: Any) -> bytes:
    """Return what ``torch.save`` writes."""
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def network() -> nn.Sequential:
    """Return a small network with batch norm, whose own names start with digits."""
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


class Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.path)!r}, 'w').close()",))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        OrderedDict,
        lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"lr": 0.1}},
        lambda state: {"state_dict": [state, {"0.weight": torch.zeros(1)}]},
        lambda state: [state],
    ],
    ids=["plain", "ordered", "wrapped", "cascade", "list"],
)
def test_the_state_is_found_where_training_scripts_leave_it(wrap: Any) -> None:
    """Plain, wrapped, and the first of a cascade."""
    state = network().state_dict()
    found = read_checkpoint(saved(wrap(state)), "weights.pth").state
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key]) for key in state)


def test_what_cohen_s_scripts_note_is_kept() -> None:
    """The architecture's name and the training noise come with the weights."""
    content = {"arch": "cifar_resnet110", "noise_sd": 0.5, "state_dict": network().state_dict()}
    checkpoint = read_checkpoint(saved(content), "weights.pth")
    assert (checkpoint.arch, checkpoint.training_sigma) == ("cifar_resnet110", 0.5)


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    """Loading weights never executes them, in either format of torch.save or as a bare pickle."""
    bomb = Attack(tmp_path / "executed")
    stream = io.BytesIO()
    torch.save({"state_dict": bomb}, stream, _use_new_zipfile_serialization=False)
    for data in (
        saved({"state_dict": bomb}),
        stream.getvalue(),
        pickle.dumps({"state_dict": bomb}, protocol=2),
    ):
        with pytest.raises(ModelError, match=r"weights\.pth"):
            read_checkpoint(data, "weights.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"no checkpoint", saved({"state_dict": {}}), saved(torch.zeros(3)), saved([])]
    + [saved(network().state_dict())[:-cut] for cut in (1, 100, 700)],
)
def test_damaged_and_empty_files_are_refused(data: bytes) -> None:
    """Whatever torch raises becomes one error that names the file."""
    with pytest.raises(ModelError, match=r"weights\.pth"):
        read_checkpoint(data, "weights.pth")


@pytest.mark.parametrize("prefix", ["", "module.", "1.", "1.module.", "module.1."])
def test_the_wrapper_s_prefix_is_taken_off(prefix: str) -> None:
    """DataParallel and a normalisation layer in front leave their names; the network's own digits stay."""
    source, target = network(), network()
    assign_state(target, {prefix + key: value for key, value in source.state_dict().items()}, "weights.pth")
    images = torch.rand(2, 1, 2, 2)
    assert torch.equal(source.eval()(images), target.eval()(images))


def test_a_lone_last_layer_is_not_mistaken_for_a_wrapped_network() -> None:
    """``1.weight`` may be the network's own name; it is stripped only if that fits."""
    source = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    target = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    assign_state(target, source.state_dict(), "weights.pth")
    assert torch.equal(target.state_dict()["1.weight"], source.state_dict()["1.weight"])


def test_batch_norm_s_counters_may_be_missing_and_halves_become_floats() -> None:
    """Old files have no counters; half weights are widened exactly, so that arithmetic is float32."""
    source = network().half()
    state = {key: value for key, value in source.state_dict().items() if "num_batches" not in key}
    with torch.device("meta"):
        target = network()
    assign_state(target, state, "weights.pth")
    assert {tensor.dtype for tensor in target.parameters()} == {torch.float32}
    assert not any(tensor.is_meta for tensor in target.state_dict().values())
    assert torch.equal(target.state_dict()["0.weight"], state["0.weight"].float())


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "mixed prefix"])
def test_weights_that_do_not_fit_exactly_are_refused(change: str) -> None:
    """Nothing is left at random and nothing is ignored."""
    state = dict(network().state_dict())
    match change:
        case "missing":
            del state["0.bias"]
        case "extra":
            state["9.bias"] = torch.zeros(1)
        case "shape":
            state["3.weight"] = torch.zeros(3, 9)
        case _:
            state["module.0.bias"] = state.pop("0.bias")
    with pytest.raises(ModelError, match="does not hold the weights"):
        assign_state(network(), state, "weights.pth")


def test_a_checkpoint_takes_no_more_memory_than_its_file() -> None:
    """Torch stores weights as they are; one that was compressed could hold a thousand times its size."""
    content = saved(network().state_dict())
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(stream, "w") as packed:
        for member in whole.infolist():
            packed.writestr(member.filename, whole.read(member), zipfile.ZIP_DEFLATED)
    assert read_checkpoint(content, "w.pth").state
    with pytest.raises(ModelError, match=r"w\.pth is compressed"):
        read_checkpoint(stream.getvalue(), "w.pth")


def test_members_of_a_checkpoint_that_overlap_are_refused() -> None:
    """A directory that names one stored member many times promises more than the file holds."""
    content = saved({"weight": torch.zeros(10_000)})
    with zipfile.ZipFile(io.BytesIO(content)) as whole:
        largest = max(whole.infolist(), key=lambda member: member.file_size)
        start = whole.start_dir
    entry = content.index(b"PK\1\2", start)
    while largest.filename.encode() != content[entry + 46 :][: len(largest.filename)]:
        entry = content.index(b"PK\1\2", entry + 4)
    size = 46 + sum(int.from_bytes(content[entry + at : entry + at + 2], "little") for at in (28, 30, 32))
    directory = content[start : content.index(b"PK\6\6", start)] + content[entry : entry + size] * 50
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, directory.count(b"PK\1\2"),
                      directory.count(b"PK\1\2"), len(directory), start, 0)  # fmt: skip
    with pytest.raises(ModelError, match=r"w\.pth is compressed"):
        read_checkpoint(content[:start] + directory + end, "w.pth")
