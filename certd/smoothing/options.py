"""Options from outside: every name is known, and the refusal of a great many stays short."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_PROBLEMS = 20
LONGEST_NAME = 100


class Options(BaseModel):
    """Options that whoever asks may send; an unknown one is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_are_unknown(cls, options: Any) -> Any:
        """Leave out unknown options after the first few, since each makes an error of its own."""
        known = cls.model_fields.keys()
        if not isinstance(options, dict) or len(options) <= len(known) + MOST_PROBLEMS:
            return options
        kept = known | set(islice((name for name in options if name not in known), MOST_PROBLEMS + 1))
        return {name: value for name, value in options.items() if name in kept}


def invalid_parameter(error: ValidationError) -> InvalidParameter:
    """Translate a validation error into one that points at the offending options."""
    found = problems(error.errors(include_url=False, include_context=False, include_input=False))
    first = found["errors"][0]
    name = first["pointer"].strip("/") or "the request"
    return InvalidParameter(f"{name}: {first['detail']}.", pointer=first["pointer"], **found)


def problems(errors: Sequence[Any], skipped: int = 0) -> dict[str, Any]:
    """Return the members of a refusal that list what is wrong: the first few, and whether there is more.

    Args:
        errors: As pydantic lists them.
        skipped: Parts of each location that no pointer has.
    """
    listed = [
        {"pointer": pointer_to(error["loc"][skipped:]), "detail": error["msg"]}
        for error in errors[:MOST_PROBLEMS]
    ]
    return {"errors": listed, **({"more_errors": True} if len(errors) > MOST_PROBLEMS else {})}


def pointer_to(location: Sequence[str | int]) -> str:
    """Return the JSON pointer of a location; a name too long to be one is cut."""
    return "/" + "/".join(str(part)[:LONGEST_NAME] for part in location)
