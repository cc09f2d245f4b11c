"""Batch APIs for the stub: OpenAI's (files, batches) and Gemini's (inlined requests). A batch is done some time after it was made.

Answers are made, and counted as paid, when a batch is done; each line goes through the same completion as a chat request.
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any

from datagen.jsonl import JsonObject

Answer = Callable[[JsonObject], tuple[int, JsonObject]]
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')


class Batches:
    """Files and batches of one stub.

    Args:
        answer: completes a chat body: status and answer.
        seconds: how long a batch takes.
    """

    def __init__(self, answer: Answer, *, seconds: float) -> None:
        self._answer = answer
        self._seconds = seconds
        self._files: dict[str, bytes] = {}
        self._batches: dict[str, JsonObject] = {}
        self._due: dict[str, float] = {}
        self._results: dict[str, list[JsonObject]] = {}

    def __len__(self) -> int:
        return len(self._batches)

    def add_file(self, content_type: str, raw: bytes) -> JsonObject:
        """Take an upload (multipart form, part ``file``)."""
        boundary = _BOUNDARY.search(content_type)
        parts = raw.split(b"--" + boundary.group(1).encode()) if boundary else []
        part = next((p for p in parts if b'name="file"' in p.split(b"\r\n\r\n", 1)[0]), b"")
        _, _, content = part.partition(b"\r\n\r\n")
        return self._store(content.removesuffix(b"\r\n"), purpose="batch")

    def content(self, file_id: str) -> bytes | None:
        """Return a file's bytes."""
        return self._files.get(file_id)

    def create(self, body: JsonObject) -> JsonObject | None:
        """Begin an OpenAI batch over an uploaded file; None if there is no such file."""
        raw = self._files.get(str(body.get("input_file_id")))
        if raw is None:
            return None
        requests = [json.loads(line) for line in raw.splitlines() if line.strip()]
        batch_id = self._begin([(str(r["custom_id"]), r["body"]) for r in requests])
        self._batches[batch_id] |= {
            "object": "batch",
            "endpoint": body.get("endpoint", ""),
            "input_file_id": body["input_file_id"],
            "completion_window": body.get("completion_window", "24h"),
            "metadata": body.get("metadata"),
            "created_at": int(time.time()),
        }
        return self.state(batch_id)

    def create_inlined(self, name: str, requests: list[tuple[str, JsonObject]]) -> str:
        """Begin a batch of keyed chat bodies; return its id."""
        batch_id = self._begin(requests)
        self._batches[batch_id]["display_name"] = name
        return batch_id

    def state(self, batch_id: str) -> JsonObject | None:
        """Return an OpenAI batch as it stands now."""
        batch = self._batches.get(batch_id)
        if batch is None:
            return None
        done = self._finish(batch_id)
        if done and "output_file_id" not in batch:
            lines: list[JsonObject] = []
            for result in self._results[batch_id]:
                response = {"status_code": result["status"], "request_id": "", "body": result["body"]}
                lines.append({"id": f"line-{result['key'][:12]}", "custom_id": result["key"], "response": response, "error": None})
            good = [line for line in lines if line["response"]["status_code"] == 200]
            bad = [line for line in lines if line["response"]["status_code"] != 200]
            batch["output_file_id"] = self._store(_jsonl(good), purpose="batch_output")["id"] if good else None
            batch["error_file_id"] = self._store(_jsonl(bad), purpose="batch_output")["id"] if bad else None
        return {**batch, "status": "completed" if done else "in_progress"}

    def inlined(self, batch_id: str) -> tuple[str, list[JsonObject] | None] | None:
        """Return a batch's display name and, once it is done, its results: ``key``, ``status``, ``body``."""
        if batch_id not in self._batches:
            return None
        return str(self._batches[batch_id].get("display_name", "")), self._results[batch_id] if self._finish(batch_id) else None

    def ids(self) -> list[str]:
        """Return the ids of all batches, newest first."""
        return list(self._batches)[::-1]

    def _begin(self, requests: list[tuple[str, JsonObject]]) -> str:
        batch_id = f"batch_{len(self._batches):06d}"
        self._batches[batch_id] = {"id": batch_id, "requests": requests}
        self._due[batch_id] = time.monotonic() + self._seconds
        return batch_id

    def _finish(self, batch_id: str) -> bool:
        if time.monotonic() < self._due[batch_id]:
            return False
        if batch_id not in self._results:
            results: list[JsonObject] = []
            for key, body in self._batches[batch_id].pop("requests"):
                status, answer = self._answer(body)
                results.append({"key": key, "status": status, "body": answer})
            self._results[batch_id] = results
        return True

    def _store(self, content: bytes, *, purpose: str) -> JsonObject:
        file_id = f"file-{len(self._files):06d}"
        self._files[file_id] = content
        return {"id": file_id, "object": "file", "bytes": len(content), "created_at": 0, "filename": f"{file_id}.jsonl", "purpose": purpose}


def _jsonl(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
