"""What several tiers share: where real data lie, small models, a real server."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings
from torch import nn

from certd.models import BaseClassifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Triton reads this when it is first imported, by whichever test comes first.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
# Threads that wait for one another on a busy machine are slower than one.
torch.set_num_threads(1)

# A busy machine breaks no law.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

CHECKOUT = Path(__file__).resolve().parents[1]
SERVER_SECONDS = 60.0


def skip_or_fail(reason: str) -> None:
    """Skip on a laptop, fail in CI: a missing part must not pass unnoticed where everything is promised."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slow files first, so that none is left to run alone at the end."""
    items.sort(key=lambda item: "integration" not in item.path.parts)


@pytest.fixture(autouse=True)
def _no_stray_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's CERTD_ variables out of the tests."""
    for name in [name for name in os.environ if name.startswith("CERTD_") and name != "CERTD_TEST_DATA"]:
        monkeypatch.delenv(name)


class HalfSpace(nn.Module):
    """Class 1 where the first pixel, from 0 to 255, is above ``threshold``; its radius is the distance."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def extra_repr(self) -> str:
        """Return the threshold, which is all that tells two half-spaces apart."""
        return f"threshold={self.threshold}"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits whose difference is the signed distance to the boundary."""
        distance = images.flatten(1)[:, 0] * 255 - self.threshold
        return torch.stack([-distance, distance], dim=1)


@pytest.fixture(scope="session")
def half_space() -> Callable[..., BaseClassifier]:
    """Return a maker of linear classifiers whose certified radius is known exactly."""

    def make(threshold: float = 127.5, shape: tuple[int, int, int] = (1, 2, 2)) -> BaseClassifier:
        return BaseClassifier.from_module(HalfSpace(threshold), f"half-space-{threshold:g}", shape, 2)

    return make


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a real Valkey on a unix socket for the session."""
    from api.embedded import valkey  # noqa: PLC0415 - only the tiers that need a server
    from certd.errors import Unavailable  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("valkey")
    socket = valkey.socket_path(folder)
    try:
        program = valkey.find_server()
    except Unavailable as error:
        skip_or_fail(error.message)
    server = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    url = f"unix://{socket}?db=0"
    deadline = time.monotonic() + SERVER_SECONDS
    while not valkey.answers(url):
        assert time.monotonic() < deadline, "the server did not come up"
    yield url
    server.terminate()
    server.wait()
