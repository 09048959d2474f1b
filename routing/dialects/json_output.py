"""Answers in JSON: what a provider lacks of ``response_format`` becomes an instruction and one check."""

from typing import Any

import orjson

from routing.dialects.messages import add_instruction, mention
from routing.dialects.schemas import is_schema
from routing.errors import GatewayError

JSON_WORD = "Answer in JSON."
INSTRUCTION = (
    "Answer with one JSON object and nothing else: no Markdown, no comment. It must be valid under this JSON schema:\n"
)


def fit_json(body: dict[str, Any], *, takes_object: bool, takes_schema: bool, needs_word: bool) -> Any:
    """Change a body (in place) to what the provider takes of JSON; return the schema to check the answer by, if any."""
    wanted = body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_schema" and not takes_schema:
        schema = read_schema(body)
        text = INSTRUCTION + orjson.dumps(schema).decode()
        body["messages"] = add_instruction(body["messages"], text)
        body["response_format"] = {"type": "json_object"}
        if not takes_object:
            del body["response_format"]
        return schema
    if kind == "json_object":
        if not takes_object:
            del body["response_format"]
        if (needs_word or not takes_object) and not mention(body["messages"], "json"):
            body["messages"] = add_instruction(body["messages"], JSON_WORD)
    return None


def read_schema(body: dict[str, Any]) -> Any:
    """Return the schema in ``response_format``. Raises GatewayError where it is none."""
    schema = body["response_format"].get("json_schema")
    schema = schema.get("schema") if isinstance(schema, dict) else None
    if not is_schema(schema):
        name = "response_format.json_schema.schema"
        raise GatewayError("invalid_request", f"`{name}` must be a JSON schema.", name)
    return schema
