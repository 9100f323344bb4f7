"""RobustBench's ``model_info``: one model as JSON, percentages as text or shares as numbers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from certd.errors import UnreadableInput
from certd.reports.claims.claim import (
    AUTOATTACK,
    ClaimedModel,
    Threat,
    parse_certified,
    parse_eps,
    parse_fraction,
    parse_norm,
    parse_percent,
    printed_eps,
)

MOST_CHARACTERS = 1_000_000
KNOWN = {
    "architecture", "dataset", "threat_model", "eps", "clean_acc", "autoattack_acc", "additional_data",
    "footnote", "link", "certified_acc", "robust_acc", "evaluation_method",
}  # fmt: skip


def read_model_info(text: str) -> ClaimedModel:
    """Read an entry; what AutoAttack left, another attack, and what is certified have fields of their own.

    Raises:
        UnreadableInput: If it is no such JSON, or a number in it is none.
    """
    if len(text) > MOST_CHARACTERS:
        raise UnreadableInput(f"An entry has at most {MOST_CHARACTERS:,} characters, this one {len(text):,}.")
    try:
        entry = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError) as error:
        raise UnreadableInput(f"This is no JSON: {error}") from None
    if not isinstance(entry, dict):
        raise UnreadableInput("An entry of model_info is a JSON object.")
    members = {name: _text(value, name) for name, value in entry.items() if name != "certified_acc"}
    if members.get("autoattack_acc") and members.get("robust_acc"):
        raise UnreadableInput(
            "An entry has one accuracy under attack; of autoattack_acc and robust_acc keep one."
        )
    attacked = "robust_acc" if members.get("robust_acc") else "autoattack_acc"
    return ClaimedModel(
        architecture=members.get("architecture", ""),
        dataset=members.get("dataset") or None,
        threat=Threat(parse_norm(members.get("threat_model", "")), parse_eps(members.get("eps", ""))),
        clean_accuracy=_share(entry.get("clean_acc"), "clean_acc"),
        robust_accuracy=_share(entry.get(attacked), attacked),
        additional_data={"true": True, "false": False}.get(members.get("additional_data", "").casefold()),
        remark=members.get("footnote", ""),
        evaluation=members.get("evaluation_method") or (AUTOATTACK if members.get("autoattack_acc") else ""),
        checkpoint=members.get("link", ""),
        certified=_certified(entry.get("certified_acc")),
        others=tuple((name, value) for name, value in members.items() if name not in KNOWN and value),
    )


def write_model_info(model: ClaimedModel) -> str:
    """Write an entry that :func:`read_model_info` reads back unchanged."""
    eps, clean = model.threat.eps, model.clean_accuracy
    attacked = None if model.robust_accuracy is None else str(model.robust_accuracy)
    understood = model.evaluation == AUTOATTACK and attacked is not None
    entry: dict[str, Any] = {
        "link": model.checkpoint or None,
        "architecture": model.architecture,
        "dataset": model.dataset,
        "threat_model": model.threat.norm,
        "eps": None if eps is None else printed_eps(eps),
        "additional_data": model.additional_data,
        "clean_acc": None if clean is None else str(clean),
        "autoattack_acc": attacked if model.by_autoattack else None,
        **({} if attacked is None or model.by_autoattack else {"robust_acc": attacked}),
        **({"evaluation_method": model.evaluation} if model.evaluation and not understood else {}),
        **({"footnote": model.remark} if model.remark else {}),
        **({"certified_acc": dict(model.certified)} if model.certified else {}),
        **{name: value for name, value in model.others if name not in KNOWN},
    }
    return json.dumps(entry, indent=2) + "\n"


def _share(value: object, name: str) -> Decimal | None:
    """Read a percentage as text, or a share as a number."""
    return (
        parse_fraction(value, name) if isinstance(value, Decimal) else parse_percent(_text(value, name), name)
    )


def _text(value: object, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | Decimal):
        return str(value).strip()
    raise UnreadableInput(f"{name[:40]}: an entry's members are texts, numbers and answers.")


def _certified(value: object) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict) or not all(isinstance(share, str) for share in value.values()):
        raise UnreadableInput('certified_acc: write percentages by radius, such as {"0.5": "42.60"}.')
    return parse_certified(value.items(), "certified_acc at ")
