"""`/openapi.json` holds for every answer: schemathesis makes requests of it, right and wrong, and checks each."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serve.running import Running, running

pytestmark = pytest.mark.integrations
KEY = "a-key"
EXAMPLES = 60  # requests a path and phase, at least
STATUSES = {"200", "400", "401", "404", "405", "408", "413", "422", "429", "431", "500"}


@pytest.fixture(scope="module")
def keyed(export: Path) -> Any:
    with running(export, "--model", "fp32", "--max-inputs", "3", key=KEY) as started:
        yield started


def document(service: Running) -> dict[str, Any]:
    reply: dict[str, Any] = service.get("/openapi.json").json()
    return reply


def test_every_status_and_form_is_described(service: Running, keyed: Running) -> None:
    described = document(keyed)
    for path in ("/v1/embeddings", "/v1/search", "/v1/compare"):
        assert set(described["paths"][path]["post"]["responses"]) == STATUSES
    for operations in described["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                schemas = [content["schema"] for content in answer["content"].values()]
                assert schemas and all(schemas), (operation["summary"], status)
    assert described["paths"]["/v1/models"]["get"]["security"] == [{"key": []}]
    assert "text/plain" in described["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
    reply = described["components"]["schemas"]["Embedding"]["properties"]["embedding"]
    assert {"type": "array", "items": {"type": "number"}} in reply["anyOf"]
    # Without a key none is asked for.
    free = document(service)
    assert "securitySchemes" not in free["components"]
    assert "401" not in free["paths"]["/v1/models"]["get"]["responses"]


def test_the_schema_has_what_this_model_takes(service: Running) -> None:
    body = document(service)["paths"]["/v1/embeddings"]["post"]["requestBody"]["content"]["application/json"]
    properties = body["schema"]["properties"]
    assert properties["model"]["anyOf"][0]["enum"] == ["fieldtune", "fieldtune:query", "fieldtune:passage"]
    assert properties["dimensions"]["anyOf"][0]["enum"] == [32]
    assert properties["input"]["anyOf"] == [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    ]


def check(service: Running, examples: int, headers: dict[str, str]) -> int:
    """Make requests by the document and check each answer against it; the number of requests."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
        response_schema_conformance,
    ]  # fmt: skip
    schema = schemathesis.openapi.from_dict(document(service))
    made = 0
    for operation in schema.get_all_operations():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @given(case=operation.ok().as_strategy(generation_mode=mode))
            @settings(
                max_examples=examples,
                database=None,
                deadline=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def ask(case: Any) -> None:
                nonlocal made
                made += 1
                case.call_and_validate(base_url=service.url, headers=headers, checks=checks)

            try:
                ask()
            except Exception as error:
                if (
                    "Unsatisfiable" not in type(error).__name__
                ):  # nothing is wrong by the schema of a path without input
                    raise
    return made


@pytest.mark.parametrize("headers", [{"Authorization": f"Bearer {KEY}"}, {}], ids=["key", "no key"])
def test_no_answer_is_another_than_described(keyed: Running, headers: dict[str, str]) -> None:
    assert check(keyed, EXAMPLES, headers) > 8 * EXAMPLES


@pytest.mark.slow
def test_nor_of_five_thousand(keyed: Running) -> None:
    assert check(keyed, 500, {"Authorization": f"Bearer {KEY}"}) >= 5000


def test_what_is_right_by_the_schema_is_answered(service: Running) -> None:
    schema = document(service)["paths"]["/v1/embeddings"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    for dimensions in schema["properties"]["dimensions"]["anyOf"][0]["enum"]:
        for model in schema["properties"]["model"]["anyOf"][0]["enum"]:
            given = {"input": "word1", "model": model, "dimensions": dimensions}
            assert httpx.post(f"{service.url}/v1/embeddings", json=given).status_code == 200
