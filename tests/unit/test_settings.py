"""Settings come from the environment, and a misspelt one is refused."""

from __future__ import annotations

import pytest

from certd.errors import InvalidParameter
from certd.settings import load_settings


def test_a_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """CERTD_PORT is the port."""
    monkeypatch.setenv("CERTD_PORT", "9001")
    assert load_settings().port == 9001


def test_a_misspelt_setting_does_not_become_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """CERTD_PROT is refused by name, and the message lists what there is."""
    monkeypatch.setenv("CERTD_PROT", "9001")
    with pytest.raises(InvalidParameter, match=r"CERTD_PROT.*CERTD_PORT"):
        load_settings()


def test_a_value_outside_its_domain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port of 99999 does not exist."""
    monkeypatch.setenv("CERTD_PORT", "99999")
    with pytest.raises(InvalidParameter, match="port"):
        load_settings()
