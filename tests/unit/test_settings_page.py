"""The page about the settings lists those that there are."""

from __future__ import annotations

from pathlib import Path

from certd.settings import PREFIX, Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def test_every_setting_is_documented_and_no_other() -> None:
    """One row a setting, in the order of the code, with its default and its description, word for word."""
    rows = [
        f"| `{PREFIX}{name.upper()}` | {'' if field.default is None else f'`{field.default}`'} "
        f"| {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    documented = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert documented == rows, "\n".join(rows)


def test_every_setting_says_what_it_is() -> None:
    """A setting without a description is a riddle."""
    assert all(field.description for field in Settings.model_fields.values())


def test_the_password_is_not_in_a_printed_setting() -> None:
    """Printed settings, such as in a traceback, leave the queue's address out."""
    assert "hunter2" not in repr(Settings(redis_url="redis://:hunter2@db"))
