"""The doctor finds what is broken, says what to do, and shows no password."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from certd.access import KeyStore, Scope
from certd.cli import app
from certd.cli.doctor.door import look_at_door
from certd.cli.doctor.finding import Health
from certd.cli.doctor.machine import look_at_accelerator, look_at_cores
from certd.cli.doctor.packages import look_at_packages
from certd.cli.doctor.queue import _eviction, _persistence, look_at_queue
from certd.cli.doctor.registries import look_at_registries
from certd.cli.doctor.storage import look_at_storage
from certd.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from certd.cli.doctor.finding import Finding

NOBODY = "redis://:hunter2@127.0.0.1:1/0"


def _worst(findings: Iterable[Finding]) -> Health:
    order = list(Health)
    return max((finding.health for finding in findings), key=order.index)


def test_what_is_not_in_order_says_what_to_do(tmp_path: Path) -> None:
    """Every warning and every failure carries advice; what is fine carries none."""
    settings = Settings(data_dir=tmp_path, redis_url=NOBODY, threads=999, device="cuda:99", host="0.0.0.0")  # noqa: S104
    looks = (look_at_storage, look_at_door, look_at_queue, look_at_cores, look_at_accelerator)
    for look in looks:
        for finding in look(settings):
            assert (finding.advice is None) == (finding.health == Health.OK), finding


def test_a_folder_that_can_be_used_is_left_as_it_was(tmp_path: Path) -> None:
    """The look writes, renames and links as a job does, and cleans up."""
    assert _worst(look_at_storage(Settings(data_dir=tmp_path))) == Health.OK
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_broken(tmp_path: Path) -> None:
    """Where a file lies in the folder's place no job can be stored."""
    (tmp_path / "file").write_text("")
    assert _worst(look_at_storage(Settings(data_dir=tmp_path / "file"))) == Health.FAILED


@pytest.mark.parametrize(("free", "health"), [(10**12, "ok"), (10**9, "warning"), (10**6, "failed")])
def test_a_full_disk_is_noticed_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, health: str
) -> None:
    """Less than 2 GiB is doubtful and less than 100 MiB broken."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    assert _worst(look_at_storage(Settings(data_dir=tmp_path))) == health


def test_a_door_that_stands_open_to_others_is_broken(tmp_path: Path) -> None:
    """Another address than loopback needs a key; with one it is fine, and a readable file is doubtful."""
    settings = Settings(data_dir=tmp_path, host="0.0.0.0")  # noqa: S104
    assert _worst(look_at_door(settings)) == Health.FAILED
    store = KeyStore(settings.key_file)
    key, _ = store.create("alice", [Scope.ADMIN])
    assert _worst(look_at_door(settings)) == Health.OK
    settings.key_file.chmod(0o644)
    assert _worst(look_at_door(settings)) == Health.WARNING
    settings.key_file.chmod(0o666)
    assert _worst(look_at_door(settings)) == Health.FAILED
    settings.key_file.chmod(0o600)
    store.revoke(key.id)
    assert _worst(look_at_door(settings)) == Health.WARNING


def test_a_queue_that_is_away_is_broken_and_its_password_is_not_shown(tmp_path: Path) -> None:
    """The address is printed without what opens it."""
    findings = list(look_at_queue(Settings(data_dir=tmp_path, redis_url=NOBODY)))
    assert _worst(findings) == Health.FAILED
    assert "127.0.0.1:1" in findings[0].detail
    assert "hunter2" not in repr(findings)


def test_no_queue_at_all_is_only_doubtful(tmp_path: Path) -> None:
    """A machine that only certifies on the command line needs none."""
    assert _worst(look_at_queue(Settings(data_dir=tmp_path))) == Health.WARNING


def test_a_server_that_forgets_or_evicts_is_noticed() -> None:
    """Eviction under a memory limit drops messages, so it is broken; the rest is doubtful."""
    assert _persistence({"aof_enabled": 0}).health == Health.WARNING
    assert _persistence({"aof_enabled": 1}).health == Health.OK
    assert _eviction({"maxmemory_policy": "allkeys-lru", "maxmemory": 0}).health == Health.WARNING
    assert _eviction({"maxmemory_policy": "allkeys-lru", "maxmemory": 10**9}).health == Health.FAILED
    assert _eviction({"maxmemory_policy": "noeviction", "maxmemory": 10**9}).health == Health.OK


def test_packages_are_compared_with_those_tested(tmp_path: Path) -> None:
    """Another version is named with the tested one; a local build of the same version is the same."""
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("# comment\npydantic==0.0.1\nnot-installed-anywhere==1\n")
    findings = list(look_at_packages(constraints))
    assert findings[-1].health == Health.WARNING
    assert "tested: 0.0.1" in findings[-1].detail
    assert "not-installed-anywhere" not in findings[-1].detail


def test_a_registry_that_names_nothing_is_broken(tmp_path: Path) -> None:
    """A damaged registry, and an entry whose files are gone, are named."""
    datasets = tmp_path / "datasets.yaml"
    datasets.write_text("mine:\n  uri: npz:gone.npz\n")
    findings = list(look_at_registries(Settings(data_dir=tmp_path, datasets=datasets)))
    assert [f.part for f in findings if f.health == Health.FAILED] == ["data sets"]
    (tmp_path / "gone.npz").write_bytes(b"")
    assert _worst(look_at_registries(Settings(data_dir=tmp_path, datasets=datasets))) == Health.OK
    datasets.write_text("{")
    assert _worst(look_at_registries(Settings(data_dir=tmp_path, models=datasets))) == Health.FAILED


@pytest.mark.parametrize(("url", "code"), [(None, 0), (NOBODY, 1)])
def test_the_exit_code_says_whether_something_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str | None, code: int
) -> None:
    """0 with warnings, 1 with a failure; as JSON the same."""
    monkeypatch.setenv("CERTD_DATA_DIR", str(tmp_path))
    if url is not None:
        monkeypatch.setenv("CERTD_REDIS_URL", url)
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == code, done.output
    document = json.loads(done.stdout)
    assert document["healthy"] is (code == 0)
    assert {finding["part"] for finding in document["findings"]} >= {"storage", "queue", "models", "cores"}
    printed = CliRunner().invoke(app, ["doctor"])
    assert printed.exit_code == code
    assert "hunter2" not in printed.output + done.output
