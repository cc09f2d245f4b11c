"""A bare endpoint for the throughput bench: one fixed chat completion after a fixed time, as cheaply as Python can.

Run in a process of its own, so that its CPU is not the client's: ``python tests/bench/generate_stub.py PORT LATENCY_MS``.
"""

import asyncio
import json
import sys

ITEM = {"evidence": "早餐供应时间为 7:00 至 10:30。", "question": "早餐几点开始？", "answer": "7:00。", "question_type": "factual"}
ANSWER = {"items": [ITEM] * 5}


def body() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": json.dumps(ANSWER, ensure_ascii=False)}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 400, "completion_tokens": 300, "total_tokens": 700}
    value = {"id": "x", "object": "chat.completion", "created": 0, "model": "stub", "choices": [choice], "usage": usage}
    return json.dumps(value, ensure_ascii=False).encode()


class Connection(asyncio.Protocol):
    """Answers one request after the other; the body is not looked at, only its length."""

    def __init__(self, latency_s: float, answer: bytes) -> None:
        self._latency_s = latency_s
        self._answer = answer
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        asyncio.get_running_loop().call_later(self._latency_s, self._write)

    def _write(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._answer)


async def serve(port: int, latency_s: float) -> None:
    content = body()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content) + content
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(latency_s, answer), "127.0.0.1", port, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
