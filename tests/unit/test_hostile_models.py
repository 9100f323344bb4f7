"""Files that mean harm, or are broken, on the way into the registry: nothing runs, nothing is half there."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import TYPE_CHECKING

import pytest
import safetensors.torch
import torch
from typer.testing import CliRunner

from certd.cli import app
from certd.errors import CertdError
from certd.models.registry import BUILTIN_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REGISTERED = "# mine\n"


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return exec, (f"open({str(self.target)!r}, 'w').close()",)


def _pickle_bomb(folder: Path) -> bytes:
    return pickle.dumps({"state_dict": Bomb(folder / "ran")})


def _torch_file_with_code(folder: Path) -> bytes:
    stream = io.BytesIO()
    torch.save({"state_dict": {"w": Bomb(folder / "ran")}}, stream)
    return stream.getvalue()


def _truncated(_: Path) -> bytes:
    stream = io.BytesIO()
    torch.save({"weight": torch.zeros(1000)}, stream)
    return stream.getvalue()[:-600]


def _zip_bomb(_: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
    return stream.getvalue()


def _other_weights(_: Path) -> bytes:
    stream = io.BytesIO()
    torch.save({"weight": torch.zeros(3)}, stream)
    return stream.getvalue()


@pytest.mark.parametrize("make", [_pickle_bomb, _torch_file_with_code, _truncated, _zip_bomb, _other_weights])
def test_no_hostile_file_is_registered(make: Callable[[Path], bytes], tmp_path: Path) -> None:
    """One sentence, no code run, and the registry byte for byte as it was."""
    registry = tmp_path / "models.yaml"
    registry.write_text(REGISTERED)
    (tmp_path / "evil.pt").write_bytes(make(tmp_path))
    arguments = ["models", "register", "evil", str(tmp_path / "evil.pt"), "--registry", str(registry)]
    done = CliRunner().invoke(app, [*arguments, "--preset", "mnist", "--architecture", "lenet"])
    assert done.exit_code != 0
    assert isinstance(done.exception, CertdError), done.exception
    assert "evil.pt" in done.exception.message
    assert not (tmp_path / "ran").exists()
    assert registry.read_text() == REGISTERED


def test_a_wrong_digest_is_noticed_before_the_weights_are_used(tmp_path: Path) -> None:
    """The sidecar of the built-in model beside weights with one bit changed."""
    weights = bytearray((BUILTIN_FOLDER / "digits-cnn.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "m.safetensors").write_bytes(weights)
    (tmp_path / "m.json").write_bytes((BUILTIN_FOLDER / "digits-cnn.json").read_bytes())
    done = CliRunner().invoke(
        app,
        ["models", "register", "m", str(tmp_path / "m.safetensors"), "--registry", str(tmp_path / "r.yaml")],
    )
    assert isinstance(done.exception, CertdError)
    assert "belong together" in done.exception.message
    assert not (tmp_path / "r.yaml").exists()


def test_a_header_of_safetensors_that_lies_is_refused(tmp_path: Path) -> None:
    """It promises more bytes than there are."""
    content = safetensors.torch.save({"w": torch.zeros(100)})
    (tmp_path / "m.safetensors").write_bytes(content[:-100])
    done = CliRunner().invoke(
        app,
        ["models", "register", "m", str(tmp_path / "m.safetensors"), "--registry", str(tmp_path / "r.yaml"),
         "--preset", "mnist", "--architecture", "lenet"],
    )  # fmt: skip
    assert isinstance(done.exception, CertdError)
    assert not (tmp_path / "r.yaml").exists()
