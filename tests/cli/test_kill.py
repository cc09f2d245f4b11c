"""Random ``kill -9`` of a 300-row run, in 429 storms and with torn answers: nothing paid is lost or paid again, the dataset is the same.

The stub counts, and so does a witness in the killed process: it notes every answer the moment its last byte is there, before anything else
happens to it. Two kinds are told apart:

- *delivered*: the witness saw it. Such an answer is never asked for again, whatever the moment of the kill (``delivered_paid_again`` is 0).
- *never delivered*: in flight, at most one answer a place (``--concurrency``): not answered yet (``abandoned``), or sent and still in the
  kernel, which throws it away with the process (``undelivered``, ``sent_and_lost``). No client can save these; a server that does not
  honour ``Idempotency-Key`` bills them and bills them again. At one that does (``idempotency``) they are paid once, too.
"""

import random
import sqlite3
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_server import StubServer
from tests.clients.loopback_tls import CERTIFICATE, loopback_tls

CONCURRENCY = 4
FAULTS = Faults({"torn_json": 0.05, "429": 0.05}, seed=11, retry_after_s=0.02, storm=(1.5, 0.3))
RULE_ZH = "会员在第 {i} 条线路预订时，可以享受 {p}% 的折扣，但须提前 {d} 天付清全款。"
RULE_EN = "Bookings on route {i} include {p} kilograms of luggage and may be changed up to {d} days before departure."


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, head, rule in (("zh", "# 会员线路优惠", RULE_ZH), ("en", "# Luggage and changes", RULE_EN)):
        for part in range(8):
            numbers = range(part * 40, part * 40 + 40)
            lines = [rule.format(i=100 + i, p=5 + (i * 7) % 83, d=1 + (i * 5) % 29) for i in numbers]
            (folder / f"{name}{part}.md").write_text(f"{head} {part}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


WITNESS = """
import json, os, sys
from datagen.cli import main
from datagen.clients import wire

witness = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
finish = wire._Wire._finish


def note(self, answer):
    if answer.status == 200:
        body = json.loads(answer.text)
        os.write(witness, (body.get("id") or body["responseId"]).encode() + b"\\n")
    finish(self, answer)


wire._Wire._finish = note
sys.exit(main(sys.argv[2:]))
"""


class Run:
    """One workspace and the command that is killed and started again in it, under a witness."""

    def __init__(self, workspace: Path, docs: Path, stub: StubServer, rows: int, *, gemini: bool = False) -> None:
        self.store = workspace / ".datagen" / "responses.sqlite"
        self.out = workspace / "rows.jsonl"
        self._witness = workspace.with_suffix(".witness")
        options = ["-n", rows, "--max-tokens", 128, "--concurrency", CONCURRENCY, "--items", 3, "-o", self.out]
        model = f"gemini:stub@{stub.gemini_url}" if gemini else f"openai:stub@{stub.base_url}"
        self.arguments = list(map(str, ["-w", workspace, "generate", docs, "--model", model, *options]))
        self.command = [sys.executable, "-c", WITNESS, str(self._witness), *self.arguments]

    def delivered(self) -> set[str]:
        """Return the ids of all answers that reached a process that was killed; the stub makes them of its request's hash."""
        if not self._witness.exists():
            return set()
        return set(self._witness.read_text(encoding="ascii").split())

    def stored(self) -> int:
        if not self.store.exists():
            return 0
        db = sqlite3.connect(self.store)
        try:
            return int(db.execute("SELECT count(*) FROM responses").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # killed before the table was there
        finally:
            db.close()

    def finish(self) -> None:
        assert main(self.arguments) == 0


def undisturbed(tmp_path: Path, docs: Path, rows: int, *, gemini: bool, tls: ssl.SSLContext | None) -> tuple[bytes, int, int]:
    """Return the dataset, the requests it takes and the port: the base URL is part of a request's key."""
    with StubServer(latency_ms=30, faults=FAULTS, tls=tls) as stub:
        run = Run(tmp_path / "undisturbed", docs, stub, rows, gemini=gemini)
        run.finish()
        return run.out.read_bytes(), stub.stats()["paid"], stub.port


def kill_once(run: Run, stub: StubServer, rng: random.Random, startup_s: float) -> bool:
    """Start the run and kill it: at a random moment of its start, or (two of three) a moment after one of its first answers.

    Answers are counted, not seconds, so that a busy machine makes the same kills.

    Returns:
        Whether requests were under way.
    """
    before = stub.stats()
    process = subprocess.Popen(run.command, stderr=subprocess.DEVNULL)
    if rng.random() < 1 / 3:
        time.sleep(rng.uniform(0, startup_s))
    else:
        answers = rng.randint(0, 2)  # some 40 of 106 answers come during 50 kills: not all, so that every kill finds work
        while process.poll() is None:
            now = stub.stats()
            if now["requests"] > before["requests"] and now["paid"] >= before["paid"] + answers:
                break
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.03))
    process.kill()
    process.wait()
    return stub.stats()["requests"] > before["requests"]


def kill_at_random(
    tmp_path: Path,
    docs: Path,
    *,
    rows: int,
    kills: int,
    latency_ms: float,
    seed: int,
    idempotency: bool = False,
    gemini: bool = False,
    tls: ssl.SSLContext | None = None,
) -> None:
    expected, needed, port = undisturbed(tmp_path, docs, rows, gemini=gemini, tls=tls)
    rng = random.Random(seed)
    struck_while_sending = 0
    paid_when_delivered: dict[str, int] = {}
    with StubServer(latency_ms=latency_ms, faults=FAULTS, port=port, idempotency=idempotency, tls=tls) as stub:
        run = Run(tmp_path / "killed", docs, stub, rows, gemini=gemini)
        startup_s = measure_startup(run)
        for _ in range(kills):
            struck_while_sending += kill_once(run, stub, rng, startup_s)
            time.sleep(0.1)
            paid = paid_by_answer(stub)
            paid_when_delivered |= {answer: paid[answer] for answer in run.delivered() - paid_when_delivered.keys()}
        run.finish()
        stats = stub.stats()
        stored = run.stored()
        paid = paid_by_answer(stub)
    again = sum(paid[answer] - times for answer, times in paid_when_delivered.items())
    extra = stats["paid"] - stored
    figures = {
        "gemini": gemini,
        "tls": tls is not None,
        "idempotency": idempotency,
        "kills": kills,
        "while_sending": struck_while_sending,
        "needed": needed,
        "stored": stored,
    }
    figures |= {"delivered": len(paid_when_delivered), "delivered_paid_again": again, "sent_and_lost": extra}
    sys.stderr.write(f"{figures | {k: stats[k] for k in ('paid', 'paid_twice', 'undelivered', 'abandoned')}}\n")
    assert run.out.read_bytes() == expected
    assert stored == needed
    assert again == 0
    assert kills < 10 or len(paid_when_delivered) >= needed // 4
    assert stats["paid_twice"] == extra
    assert not idempotency or (stats["paid"], extra) == (needed, 0)
    assert extra + stats["undelivered"] + stats["abandoned"] <= CONCURRENCY * struck_while_sending
    assert struck_while_sending >= kills // 3


def paid_by_answer(stub: StubServer) -> dict[str, int]:
    """Return how often each answer was paid, by its id."""
    return {f"chatcmpl-{request[:24]}": times for request, times in stub.stats()["paid_by_request"].items()}


def measure_startup(run: Run) -> float:
    """Return the seconds from start to the first request, from a run that is killed then."""
    began_s = time.monotonic()
    process = subprocess.Popen(run.command, stderr=subprocess.DEVNULL)
    while not run.store.exists() and time.monotonic() - began_s < 60:
        time.sleep(0.01)
    process.kill()
    process.wait()
    return time.monotonic() - began_s


@pytest.mark.parametrize("idempotency", [False, True], ids=["ordinary-server", "idempotent-server"])
def test_three_kills(tmp_path: Path, docs: Path, idempotency: bool) -> None:
    kill_at_random(tmp_path, docs, rows=60, kills=3, latency_ms=60, seed=3, idempotency=idempotency)


@pytest.mark.parametrize("gemini", [False, True], ids=["openai", "gemini"])
def test_three_kills_over_https(tmp_path: Path, docs: Path, gemini: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    kill_at_random(tmp_path, docs, rows=60, kills=3, latency_ms=60, seed=5, gemini=gemini, tls=loopback_tls())


@pytest.mark.slow
@pytest.mark.parametrize("gemini", [False, True], ids=["openai", "gemini"])
def test_fifty_kills_over_https(tmp_path: Path, docs: Path, gemini: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    kill_at_random(tmp_path, docs, rows=300, kills=50, latency_ms=60, seed=9, gemini=gemini, tls=loopback_tls())


@pytest.mark.slow
@pytest.mark.parametrize("idempotency", [False, True], ids=["ordinary-server", "idempotent-server"])
def test_fifty_kills_of_a_300_row_run(tmp_path: Path, docs: Path, idempotency: bool) -> None:
    kill_at_random(tmp_path, docs, rows=300, kills=50, latency_ms=60, seed=7, idempotency=idempotency)


def test_growing_pays_for_the_difference_only(tmp_path: Path, docs: Path) -> None:
    with StubServer() as stub:
        small, large = Run(tmp_path / "ws", docs, stub, 100), Run(tmp_path / "ws", docs, stub, 300)
        small.finish()
        first = small.out.read_bytes()
        paid = stub.stats()["paid"]
        large.finish()
        assert large.out.read_bytes().startswith(first)
        grown = stub.stats()
        fresh = Run(tmp_path / "fresh", docs, stub, 300)
        fresh.finish()
        assert fresh.out.read_bytes() == large.out.read_bytes()
        assert stub.stats()["paid"] - grown["paid"] == grown["paid"]
    assert (grown["paid_twice"], grown["paid"] > paid) == (0, True)


def test_a_changed_system_prompt_asks_anew(tmp_path: Path, docs: Path) -> None:
    prompts = tmp_path / "library" / "prompts" / "qa"
    prompts.mkdir(parents=True)
    built_in = Path(__file__).resolve().parents[2] / "prompts" / "qa"
    with StubServer() as stub:
        run = Run(tmp_path / "ws", docs, stub, 30)
        run.finish()
        paid = stub.stats()["paid"]
        for name in ("zh.v1.md", "en.v1.md"):
            text = (built_in / name).read_text(encoding="utf-8")
            head, _, user = text.partition("# User")
            (prompts / name).write_text(f"{head.rstrip()}\nBe brief. 请简短。\n\n# User{user}", encoding="utf-8")
        run.arguments[:0] = ["--library", str(tmp_path / "library")]
        run.finish()
        stats = stub.stats()
    assert stats["paid"] == 2 * paid
    assert stats["paid_twice"] == 0
    users = [body["messages"][1] for body in stub.prompts]
    assert users[:paid]
    assert sorted(map(str, users[:paid])) == sorted(map(str, users[paid:]))
