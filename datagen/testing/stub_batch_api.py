"""The batch endpoints of the stub: paths and bodies of both protocols over :class:`~datagen.testing.stub_batch.Batches`."""

import json

from datagen.jsonl import JsonObject
from datagen.testing import stub_gemini
from datagen.testing.stub_batch import Batches
from datagen.testing.stub_reply import Reply, error


def answer_openai(batches: Batches, method: str, path: str, headers: dict[str, str], raw: bytes) -> Reply:
    """Serve ``/v1/files`` and ``/v1/batches``."""
    found: JsonObject | None = None
    match method, path.split("/")[2:]:
        case "POST", ["files"]:
            found = batches.add_file(headers.get("content-type", ""), raw)
        case "GET", ["files", file_id, "content"]:
            content = batches.content(file_id)
            return error(404, f"no such file: {file_id}") if content is None else Reply(200, {}, raw=content)
        case "POST", ["batches"]:
            found = batches.create(json.loads(raw))
        case "GET", ["batches"]:
            found = {"object": "list", "data": [batches.state(batch_id) for batch_id in batches.ids()], "has_more": False}
        case "GET", ["batches", batch_id]:
            found = batches.state(batch_id)
        case _:
            pass
    return error(404, f"no such endpoint or object: {method} {path}") if found is None else Reply(200, found)


def create_gemini(batches: Batches, parsed: JsonObject, model: str) -> Reply:
    """Serve ``batchGenerateContent`` with inlined requests.

    Raises:
        KeyError, TypeError: not such a request.
    """
    batch = parsed["batch"]
    lines = batch["inputConfig"]["requests"]["requests"]
    requests = [(str(line["metadata"]["key"]), stub_gemini.to_chat(line["request"], model)) for line in lines]
    return Reply(200, _gemini_state(batches, batches.create_inlined(str(batch.get("displayName", "")), requests)))


def answer_gemini(batches: Batches, path: str) -> Reply:
    """Serve ``GET /v1beta/batches`` and ``GET /v1beta/batches/ID``."""
    match = stub_gemini.BATCH.match(path)
    _, _, batch_id = match.group(1).partition("/") if match else ("", "", "")
    if not batch_id:
        return Reply(200, {"operations": [_gemini_state(batches, known) for known in batches.ids()]})
    state = _gemini_state(batches, batch_id)
    return Reply(200, state) if state else Reply(404, stub_gemini.error_body(404, {"error": {"message": f"no such batch: {batch_id}"}}, {}))


def _gemini_state(batches: Batches, batch_id: str) -> JsonObject:
    found = batches.inlined(batch_id)
    if found is None:
        return {}
    name, results = found
    metadata: JsonObject = {"displayName": name, "state": "BATCH_STATE_PENDING" if results is None else "BATCH_STATE_SUCCEEDED"}
    if results is not None:
        answers = [{"metadata": {"key": r["key"]}, "response": stub_gemini.from_chat(r["body"])} for r in results]
        metadata["output"] = {"inlinedResponses": {"inlinedResponses": answers}}
    return {"name": f"batches/{batch_id}", "metadata": metadata, "done": results is not None}
