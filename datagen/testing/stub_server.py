"""A fake OpenAI server on loopback, for tests of datagen and of programs that use it. Never a model.

It reads the passage of a ``qa`` prompt and answers with items made of its own sentences, so that a grounded run over real HTTP works
offline. Faults are scripted by share and drawn from a hash of the request and how often it came, so that a run can be repeated.
``GET /stub/stats`` says what was asked and paid.
"""

import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from datagen.hashing import fingerprint, unit_interval
from datagen.text import detect_language, split_sentences

FAULTS = ("429", "500", "torn", "think", "fence", "truncated", "ungrounded", "wrong_number", "wrong_language", "hang", "no_schema", "quota")


@dataclass(slots=True)
class Script:
    """What the stub does. ``faults`` maps a name of :data:`FAULTS` to the share of requests it befalls, in [0, 1]."""

    latency_s: float = 0.0
    faults: dict[str, float] = field(default_factory=dict[str, float])
    seed: str = "stub"


class StubServer(ThreadingHTTPServer):
    """The server; bound to 127.0.0.1 only. ``base_url`` is what goes after ``@`` in a model string."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, script: Script | None = None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.script = script or Script()
        self.status: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def strikes(self, fault: str, request: str, times_seen: int) -> bool:
        """Return whether a fault befalls this request, as drawn from its content and how often it came."""
        share = self.script.faults.get(fault, 0.0)
        return unit_interval(f"{self.script.seed}:{fault}:{request}:{times_seen}") < share


class _Handler(BaseHTTPRequestHandler):
    server: StubServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        del format, args

    def do_GET(self) -> None:
        if self.path == "/stub/stats":
            paid = self.server.paid
            self._send(200, {"status": dict(self.server.status), "paid": dict(paid), "paid_twice": sum(n > 1 for n in paid.values())})
        elif self.path == "/v1/models":
            self._send(200, {"object": "list", "data": [{"id": "stub", "object": "model"}]})
        else:
            self._send(404, _error("no such path"))

    def do_POST(self) -> None:
        try:
            body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))))
        except ValueError:
            self._send(400, _error("not JSON"))
            return
        if self.path != "/v1/chat/completions":
            self._send(404, _error("no such path"))
            return
        server = self.server
        key = fingerprint(body)
        server.seen[key] += 1
        times = server.seen[key]
        if server.script.latency_s:
            time.sleep(server.script.latency_s)
        form = (body.get("response_format") or {}).get("type")
        if form == "json_schema" and server.script.faults.get("no_schema"):
            self._send(400, _error("response_format of type json_schema is not supported"))
        elif server.strikes("quota", key, times):
            self._send(429, _error("quota used up", code="insufficient_quota"))
        elif server.strikes("429", key, times):
            self._send(429, _error("slow down"), {"retry-after": "0.05"})
        elif server.strikes("500", key, times):
            self._send(500, _error("internal"))
        elif server.strikes("hang", key, times):
            time.sleep(30)
        else:
            text, finish = _answer(server, body, key, times)
            server.paid[key] += 1
            prompt = sum(len(str(m.get("content", ""))) for m in body.get("messages", []))
            self._send(200, {
                "id": f"stub-{key[:12]}", "object": "chat.completion", "created": 0, "model": body.get("model", "stub"),
                "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": prompt // 3, "completion_tokens": len(text) // 3, "total_tokens": (prompt + len(text)) // 3},
            })  # fmt: skip

    def _send(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value, ensure_ascii=False).encode()
        self.server.status[str(status)] += 1
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)


def _error(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "stub", "code": code}}


def _answer(server: StubServer, body: dict[str, Any], key: str, times: int) -> tuple[str, str]:
    """Return the answer's text and finish reason, spoilt as the script says."""
    text = json.dumps({"items": items_of(server, body, key)}, ensure_ascii=False)
    if server.strikes("truncated", key, 0):
        return text[: len(text) // 4], "length"
    # Torn once: the second ask, which quotes the error, is another request.
    if server.strikes("torn", key, 0) and len(body.get("messages", [])) <= 2:
        return "Sorry, here it is: " + text[:9].replace("{", ""), "stop"
    if server.strikes("think", key, 0):
        text = f"<think>\nLet me see {{the passage}}.\n</think>\n\n{text}"
    if server.strikes("fence", key, 0):
        text = f"```json\n{text}\n```"
    return text, "stop"


def items_of(server: StubServer, body: dict[str, Any], key: str) -> list[dict[str, str]]:
    """Make items from the sentences of the passage in the last prompt that has one."""
    prompts = [str(m.get("content", "")) for m in body.get("messages", []) if m.get("role") == "user"]
    passage = next((m.group(1) for p in reversed(prompts) if (m := re.search(r"<passage>\n(.*)\n</passage>", p, re.DOTALL))), "")
    wanted = re.search(r"写 (\d+)|write (\d+)", prompts[0] if prompts else "")
    n = int(next(filter(None, wanted.groups()), "3")) if wanted else 3
    exam = "考试" in (prompts[0] if prompts else "") or "exam" in (prompts[0] if prompts else "")
    zh = detect_language(passage) == "zh"
    sentences = [passage[s.start : s.end].strip() for s in split_sentences(passage)]
    sentences = [s for s in sentences if len(s) >= (8 if zh else 20) and not s.startswith(("#", "|", "<"))]
    # Which sentences come first depends on the request, so that another attempt brings others.
    sentences.sort(key=lambda s: unit_interval(f"{key}:{s}"))
    items: list[dict[str, str]] = []
    for sentence in sentences[:n]:
        topic = sentence[:14] if zh else " ".join(sentence.split()[:6])
        question = (f"客人想知道“{topic}”这件事，该怎么答？" if exam else f"请问“{topic}”具体是怎么规定的？") if zh else (
            f"A guest asks about '{topic}': what do you tell them?" if exam else f"What exactly is the rule about '{topic}'?"
        )  # fmt: skip
        item = {"evidence": sentence, "question": question, "answer": sentence, "question_type": "factual"}
        mark = f"{key}:{sentence}"
        if server.strikes("ungrounded", mark, 0):
            item["evidence"] = "这句话在原文里并不存在，完全是编造出来的内容。" if zh else "This sentence was made up and stands nowhere in the text at all."
        elif server.strikes("wrong_number", mark, 0):
            item["answer"] = re.sub(r"\d+", "98765", sentence) if re.search(r"\d", sentence) else f"{sentence} 98765"
        elif server.strikes("wrong_language", mark, 0):
            item["question"] = "What does this rule say in detail for our guests?" if zh else "这条规定对客人具体是怎么说的呢？"
        items.append(item)
    return items


