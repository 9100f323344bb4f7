"""The page of a form that submits work: empty, filled in, priced, or refused at the field at fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.dashboard.rendering import fresh_key, respond
from certd.datasets import describe_datasets
from certd.models import model_names

if TYPE_CHECKING:
    from fastapi import Request, Response
    from pydantic import BaseModel

    from api.services import Services
    from certd.errors import CertdError


def form_page(  # noqa: PLR0913 - what a form shows
    request: Request,
    services: Services,
    template: str,
    fields: dict[str, str],
    *,
    estimate: BaseModel | None = None,
    refusal: CertdError | None = None,
    **values: Any,
) -> Response:
    """Return the page of a form.

    Args:
        request: What is answered.
        services: Whose models and data sets are offered.
        template: Of the form.
        fields: What is filled in.
        estimate: What it would cost, if that was asked.
        refusal: What is wrong with it.
        **values: What this template prints besides.
    """
    return respond(
        request,
        template,
        status=refusal.status if refusal else 200,
        fields=fields,
        models=model_names(registry=services.settings.models),
        datasets=sorted(describe_datasets(registry=services.settings.datasets)),
        estimate=estimate,
        refusal=refusal,
        pointed=(refusal.pointer or "").strip("/").partition("/")[0] if refusal else "",
        once=fields.get("once") or fresh_key(),
        json_twin="/v1/limits",
        **values,
    )
