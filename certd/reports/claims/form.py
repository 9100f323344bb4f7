"""The form in which models are proposed to RobustBench: Markdown, a list of members for each model.

References:
    Croce et al. (2021), RobustBench, arXiv:2010.09670; the repository's template for new models.
"""

from __future__ import annotations

import re

from certd.errors import UnreadableInput
from certd.reports.claims.claim import (
    Claim,
    ClaimedModel,
    Threat,
    parse_certified,
    parse_eps,
    parse_norm,
    parse_percent,
    printed_eps,
)

MOST_CHARACTERS, MOST_MODELS = 1_000_000, 1_000
PAPER = {"paper title": "title", "paper url": "url", "paper authors": "authors", "venue": "venue"}
MODEL = (
    "architecture", "dataset", "threat model", "eps", "clean accuracy", "robust accuracy", "additional data",
    "evaluation method", "checkpoint and code",
)  # fmt: skip
_HEADING = re.compile(r"(?:#{1,6}\s*|\*\*\s*)(model\b[^\n*]{0,80})", re.IGNORECASE)
_OTHER_HEADING = re.compile(r"(?:#{1,6}\s|\*\*[^*\n]{1,80}\*\*:?\s*$)")
_CERTIFIED = "certified accuracy at "
_MEMBER = re.compile(r"[-*]\s+\**([A-Za-z][A-Za-z0-9./_ ]{0,40}?)\**\s*:\s*(?:\*\*)?\s*(.*)")
_ANSWER = re.compile(r"(true|false|yes|no)\b[\s.,;:]*(.*)", re.IGNORECASE | re.DOTALL)


def read_form(text: str) -> Claim:
    """Read a filled form; nothing that it links to is opened.

    Raises:
        UnreadableInput: If it is too large, names no model, or a number in it is none; the message names the
            model and the member.
    """
    if len(text) > MOST_CHARACTERS:
        raise UnreadableInput(f"A claim has at most {MOST_CHARACTERS:,} characters; this one {len(text):,}.")
    paper, models = _sections(text)
    if not models:
        raise UnreadableInput(
            "This form claims nothing: it has no section 'Model 1' with members such as '- **eps**: 8/255'."
        )
    if len(models) > MOST_MODELS:
        raise UnreadableInput(f"A claim has at most {MOST_MODELS} models; this one {len(models)}.")
    known = {PAPER[name]: value for name, value in paper.items() if name in PAPER}
    return Claim(
        title=known.get("title", ""),
        url=known.get("url", ""),
        authors=known.get("authors", ""),
        venue=known.get("venue", ""),
        models=tuple(_model(members, place) for place, members in enumerate(models, 1)),
    )


def write_form(claim: Claim) -> str:
    """Write a claim as a form that :func:`read_form` reads back unchanged."""
    lines = ["# Paper Information", ""]
    lines += [f"- **Paper Title**: {claim.title}", f"- **Paper URL**: {claim.url}"]
    lines += [f"- **Paper authors**: {claim.authors}"]
    lines += [f"- **Venue**: {claim.venue}"] if claim.venue else []
    lines += ["", "# Leaderboard Claim(s)"]
    for place, model in enumerate(claim.models, 1):
        lines += ["", f"## Model {place}", ""]
        lines += [f"- **{name}**: {value}".rstrip() for name, value in _members(model)]
    return "\n".join(lines) + "\n"


def _members(model: ClaimedModel) -> list[tuple[str, str]]:
    eps = model.threat.eps
    answer = "" if model.additional_data is None else str(model.additional_data).lower()
    members = [("Architecture", model.architecture)]
    members += [] if model.dataset is None else [("Dataset", model.dataset)]
    members += [
        ("Threat Model", model.threat.norm),
        ("eps", "" if eps is None else printed_eps(eps)),
        ("Clean accuracy", "" if model.clean_accuracy is None else str(model.clean_accuracy)),
        ("Robust accuracy", "" if model.robust_accuracy is None else str(model.robust_accuracy)),
        ("Additional data", f"{answer} {model.remark}".strip()),
        ("Evaluation method", model.evaluation),
        ("Checkpoint and code", model.checkpoint),
    ]
    certified = [(f"{_CERTIFIED.capitalize()}{radius}", share) for radius, share in model.certified]
    return [*members, *certified, *((name.capitalize(), value) for name, value in model.others)]


def _sections(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Return the paper's members and those of each model, names in lower case."""
    paper: dict[str, str] = {}
    models: list[dict[str, str]] = []
    here, last = paper, ""
    for line in (line.strip() for line in text.splitlines()):
        member = _MEMBER.match(line)
        if _HEADING.match(line) and not line.casefold().lstrip("#* ").startswith("model zoo"):
            here, last = {}, ""
            models.append(here)
        elif _OTHER_HEADING.match(line):
            here, last = paper, ""
        elif member is not None:
            last = " ".join(member[1].casefold().split())
            here[last] = member[2].strip()
        elif line and last:
            here[last] += f" {line}"
        else:
            last = ""
    return paper, [members for members in models if members]


def _model(members: dict[str, str], place: int) -> ClaimedModel:
    missing = [name for name in ("architecture", "threat model") if not members.get(name)]
    if missing:
        raise UnreadableInput(f"Model {place} of this claim does not say its {missing[0]}.")
    try:
        threat = Threat(parse_norm(members["threat model"]), parse_eps(members.get("eps", "")))
        clean = parse_percent(members.get("clean accuracy", ""), "clean accuracy")
        robust = parse_percent(members.get("robust accuracy", ""), "robust accuracy")
        certified = parse_certified(
            (
                (name.removeprefix(_CERTIFIED), value)
                for name, value in members.items()
                if value and name.startswith(_CERTIFIED)
            ),
            _CERTIFIED,
        )
    except UnreadableInput as error:
        raise UnreadableInput(f"Model {place}, {error.message}") from None
    answer, remark = _answer(members.get("additional data", ""))
    return ClaimedModel(
        architecture=members["architecture"],
        dataset=members.get("dataset") or None,
        threat=threat,
        clean_accuracy=clean,
        robust_accuracy=robust,
        additional_data=answer,
        remark=remark,
        evaluation=members.get("evaluation method", ""),
        checkpoint=members.get("checkpoint and code", ""),
        certified=certified,
        others=tuple(
            (name, value)
            for name, value in members.items()
            if value and name not in MODEL and not name.startswith(_CERTIFIED)
        ),
    )


def _answer(text: str) -> tuple[bool | None, str]:
    """Return whether a yes or no stands first, and the rest."""
    found = _ANSWER.match(text.strip())
    if found is None:
        return None, text.strip()
    return found[1].casefold() in {"true", "yes"}, found[2].strip()
