"""The interface as it describes itself: requests made from the description, answers held against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.conftest import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

EXAMPLES = 150
JOB = {"model": "digits-cnn", "dataset": "digits", "limit": 4, "sigma": 0.25, "n": 200, "n0": 10}
PROMISES = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Serve, with one job that ended and one that was canceled."""
    limits: Any = {
        "CERTD_MAX_IMAGES": "500",
        "CERTD_MAX_DRAWS": "10000000",
        "CERTD_MAX_BODY_BYTES": "1000000",
    }
    with running(tmp_path_factory.mktemp("openapi"), **limits) as service:
        yield service


@pytest.fixture(scope="module")
def job_ids(stack: Service) -> list[str]:
    """Return the ids of jobs that are there."""
    made = [stack.client.submit({**JOB, "seed": seed})["id"] for seed in (1, 2)]
    stack.client.cancel(made[1])
    for job_id in made:
        stack.client.wait(job_id)
    return made


def test_every_answer_is_as_described(stack: Service, job_ids: list[str]) -> None:
    """No 5xx but the 503 that asks for patience; status, type, headers and body are in the description."""
    api = schemathesis.openapi.from_url(f"{stack.url}/openapi.json")
    operations = [_readable(found) for found in api.get_all_operations()]
    assert len(operations) > 15
    for operation in operations:
        # A stream ends with its job; tests of its own read it.
        if not operation.path.endswith("/events"):
            _hold(operation, job_ids)


def _readable(found: Any) -> Any:
    """Return an operation; one whose description is broken fails the test."""
    return found.ok()


def _hold(operation: Any, job_ids: list[str]) -> None:
    """Send what the description allows, and hold each answer against it."""
    modes = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @given(case=st.one_of(modes), real=st.sampled_from([None, *job_ids]))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: schemathesis.Case[Any], real: str | None) -> None:
        if real is not None and case.method != "DELETE":
            _name_what_is_there(case, real)
        answer = case.call()
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            assert int(answer.headers["retry-after"][0]) > 0
            return
        case.validate_response(answer, checks=PROMISES)

    send()


def _name_what_is_there(case: schemathesis.Case[Any], job_id: str) -> None:
    """Make a request be about a job, a figure, a model and images that are there."""
    path, body = case.path_parameters, case.body
    if "job_id" in path:
        path["job_id"] = job_id
    if "name" in path:
        path["name"] = "certified-accuracy"
    if case.path.startswith("/v1/compare"):
        case.query["job"] = [job_id, job_id]
    if isinstance(body, dict) and "ingredients" in body:
        body["ingredients"], body["dataset"] = ["digits-cnn"], "digits"
    if isinstance(body, dict) and "model" in body:
        body["model"] = "digits-cnn"
        if body.get("dataset"):
            body["dataset"] = "digits"


def test_an_answer_that_is_not_as_described_is_noticed(stack: Service) -> None:
    """The check fails where the description says otherwise than the service does."""
    raw = httpx.get(f"{stack.url}/openapi.json").json()
    raw["components"]["schemas"]["LimitsView"]["properties"]["max_images"]["type"] = "string"
    case = schemathesis.openapi.from_dict(raw)["/v1/limits"]["GET"].Case()
    answer = case.call(base_url=stack.url)
    with pytest.raises(FailureGroup):
        case.validate_response(answer, checks=PROMISES)


def test_every_example_of_the_description_is_accepted(stack: Service) -> None:
    """Whoever copies an example gets an answer, not a refusal."""
    described_paths = httpx.get(f"{stack.url}/openapi.json").json()["paths"]
    tried = 0
    for path in ("/v1/jobs", "/v1/estimate", "/v1/sweeps"):
        body = described_paths[path]["post"]["requestBody"]["content"]["application/json"]
        examples = [body["example"]] if "example" in body else [e["value"] for e in body["examples"].values()]
        for example in examples:
            answer = httpx.post(stack.url + path, json=example)
            assert answer.is_success, answer.text
            if path != "/v1/estimate":
                stack.client.cancel(answer.json()["id"])
            tried += 1
    assert tried == 4
