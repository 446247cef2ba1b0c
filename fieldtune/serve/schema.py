"""Request bodies, and the errors for those that cannot be answered, as in OpenAI's API."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from fieldtune.serve.exported import Kind

InputType = Literal["query", "passage", "document", "search_query", "search_document"]
KINDS: dict[InputType, Kind] = {
    "query": "query",
    "search_query": "query",
    "passage": "document",
    "document": "document",
    "search_document": "document",
}
# One error per member would make gigabytes of errors for a large body.
_Texts = Annotated[list[StrictStr], Field(fail_fast=True)]
_Ids = Annotated[list[StrictInt], Field(fail_fast=True)]
_IdLists = Annotated[list[_Ids], Field(fail_fast=True)]
_INPUT = "`input` must be a text, a list of texts, a list of token ids or a list of such lists"
Request = TypeVar("Request", bound=BaseModel)


# Null is the same as not given, whatever the parameter is called.
_CONFIG = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": False})


class WithoutEffect(BaseModel):
    """Parameters that clients of other services send, with the values that ask for what is done anyhow."""

    model_config = _CONFIG

    user: Any = None
    metadata: Any = None
    timeout: Any = None
    keep_alive: Any = None
    priority: Any = None
    request_id: Any = None
    proxy_server_request: Any = None
    stream: Literal[False] | None = None
    truncate: Literal["END", True] | None = None
    truncation: Literal[True] | None = None
    normalize: Literal[True] | None = None
    normalized: Literal[True] | None = None
    add_special_tokens: Literal[True] | None = None
    late_chunking: Literal[False] | None = None
    modality: Literal["text"] | None = None
    embedding_type: Literal["float"] | None = None
    output_dtype: Literal["float"] | None = None


class EmbeddingsRequest(WithoutEffect):
    """The body of `POST /v1/embeddings`."""

    input: StrictStr | _Texts | _Ids | _IdLists = Field(
        description="A text, a list of texts, the token ids of one (by this model's tokenizer), or a list of these."
    )
    model: StrictStr | None = Field(None, description="One of /v1/models; default: the only model.")
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="default: float; base64: of little-endian float32."
    )
    dimensions: StrictInt | None = Field(None, description="Shorter vectors, if the model was trained for them.")
    input_type: InputType | None = Field(None, description="Chooses the model's prompt; default: passage.")


class SearchRequest(WithoutEffect):
    """The body of `POST /v1/search`."""

    query: StrictStr = Field(json_schema_extra={"minLength": 1})
    top_k: Annotated[int, Field(strict=True, ge=1, le=100)] | None = Field(None, description="Default: 10.")
    system: StrictStr | None = Field(None, description="tuned, bm25, tuned_hybrid …; the recommended one if left out.")
    source: StrictStr | None = Field(None, description="Only passages whose `source` begins with this.")
    model: StrictStr | None = None


class CompareRequest(WithoutEffect):
    """The body of `POST /v1/compare`."""

    query: StrictStr = Field(json_schema_extra={"minLength": 1})
    top_k: Annotated[int, Field(strict=True, ge=1, le=100)] | None = Field(None, description="Default: 10.")
    source: StrictStr | None = Field(None, description="Only passages whose `source` begins with this.")
    model: StrictStr | None = None


class ApiError(Exception):
    """A request that cannot be answered, with the status and the body of OpenAI's errors."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.body = {"error": {"message": message, "type": type, "param": param, "code": code}}


def parse(kind: type[Request], body: bytes) -> Request:
    """Parse a body as JSON of `kind`. Raises ApiError (400) with the first mistake, without quoting the body."""
    try:
        request = kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    else:
        unknown = next((name for name, value in (request.model_extra or {}).items() if value is not None), None)
        if unknown is not None:
            known = ", ".join(name for name in kind.model_fields if name not in WithoutEffect.model_fields)
            name = unknown[:100]
            raise ApiError(
                400, f"`{name}`: unknown parameter; available: {known}", code="unknown_parameter", param=name
            )
        return request
    if first["type"] == "json_invalid":
        raise ApiError(400, f"the body is not valid UTF-8 JSON: {first['msg'].removeprefix('Invalid JSON: ')}")
    if not first["loc"]:
        raise ApiError(400, "the body must be a JSON object")
    param = str(first["loc"][0])
    if first["type"] == "missing":
        raise ApiError(400, f"`{param}` is missing", param=param, code="missing_required_parameter")
    raise ApiError(400, _INPUT if param == "input" else f"`{param}`: {first['msg']}", param=param)
