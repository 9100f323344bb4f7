"""The cluster's manifests: Kubernetes' own schemas accept them, and what they name exists."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from certd.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "deploy" / "kubernetes"
# KEDA's kinds have no schema in Kubernetes; what they name is held by a test of their own.
CUSTOM = {"autoscaling.yaml", "kustomization.yaml"}
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name not in CUSTOM)
TARGETS = {"certd-api", "certd-worker", "certd-worker-cuda"}


def _documents() -> list[dict[str, Any]]:
    return [found for path in FOLDER.glob("*.yaml") for found in yaml.safe_load_all(path.read_text())]


def _containers() -> list[dict[str, Any]]:
    pods = [
        found["spec"]["template"]["spec"] for found in _documents() if "template" in found.get("spec", {})
    ]
    return [container for pod in pods for container in pod["containers"]]


def test_kubernetes_accepts_every_manifest() -> None:
    """Checked strictly, offline, against the published schemas: an unknown field is an error."""
    program = Path(sys.executable).with_name("kubernetes-validate")
    done = subprocess.run(
        [str(program), "--strict", *map(str, FILES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_kustomization_lists_every_file() -> None:
    """What lies in the folder is applied."""
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(
        path.name for path in FOLDER.glob("*.yaml") if path.stem != "kustomization"
    )


def test_no_container_has_rights_or_writes_its_root() -> None:
    """All three: no escalation, a read-only root, no capability; memory is limited."""
    assert len(_containers()) == 3
    for container in _containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]


def test_every_setting_of_a_container_is_one() -> None:
    """A misspelt CERTD_ variable would stop the process at its start."""
    known = {f"CERTD_{name.upper()}" for name in Settings.model_fields}
    named = {v["name"] for c in _containers() for v in c.get("env", []) if v["name"].startswith("CERTD_")}
    assert named
    assert named <= known


def test_workers_scale_on_a_metric_that_the_api_serves() -> None:
    """KEDA reads a documented gauge, scales the workers, and never to none: one has to reconcile."""
    (scaled,) = [found for found in _documents() if found["kind"] == "ScaledObject"]
    (trigger,) = scaled["spec"]["triggers"]
    assert (
        f"`{trigger['metadata']['valueLocation']}` | gauge" in (CHECKOUT / "docs" / "metrics.md").read_text()
    )
    workers = [found["metadata"]["name"] for found in _documents() if found["kind"] == "Deployment"]
    assert scaled["spec"]["scaleTargetRef"]["name"] in workers
    assert scaled["spec"]["minReplicaCount"] >= 1


@pytest.mark.parametrize("name", ["certd-api", "certd-workers"])
def test_a_deployment_runs_an_image_of_the_dockerfile(name: str) -> None:
    """Workers have a GPU each."""
    (found,) = [d for d in _documents() if d["kind"] == "Deployment" and d["metadata"]["name"] == name]
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert container["image"] in TARGETS
    assert ("nvidia.com/gpu" in container["resources"]["limits"]) == (name == "certd-workers")
