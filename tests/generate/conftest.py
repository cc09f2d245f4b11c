"""Two real documents, Chinese and English, as ingested text, and their chunks."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from datagen.clients import RetryPolicy, open_client
from datagen.generate.candidate import Candidates
from datagen.generate.opening import open_crew
from datagen.generate.specs import SPECS
from datagen.generate.strategy import Purpose
from datagen.ingest.chunk import chunk_document
from datagen.schemas.document import Chunk, Document, Language, Section
from datagen.testing.stub_server import StubServer

ZH = """# 取消与退款

入住当天 18:00 前取消，免收费用；18:00 之后取消，收取首晚房费的 50%。
- 团队预订（10 间及以上）须提前 7 天取消，否则收取全部房费。
- 退款在 3 个工作日内原路退回，节假日顺延。

延迟退房到 14:00 免费，到 18:00 收取半天房费，超过 18:00 按全天收取。
会员等级为金卡及以上的客人，可以在退房时申请积分补登，补登期限为离店后 30 天。
"""
EN = """# Late check-out

Check-out is at 12:00 noon; gold members may stay until 14:00 free of charge.
After 18:00 a full night is charged at the rate of the day.
- Requests must reach the front desk at least 2 hours before check-out time.

Luggage can be stored at the concierge desk for up to 48 hours without a fee.
Pets under 8 kg are welcome in ground-floor rooms for a cleaning fee of 30 dollars per stay.
"""


def make_document(text: str, language: Language, path: str = "") -> Document:
    title = text.split("\n", 1)[0].lstrip("# ")
    sections = (Section(heading_path=(title,), start=0, end=len(text)),)
    return Document(
        path=path or f"{language}/rules.md", sha256="a" * 64, media_type="md", language=language, title=title, text=text, sections=sections
    )


@pytest.fixture
def documents() -> dict[Language, Document]:
    return {"zh": make_document(ZH, "zh"), "en": make_document(EN, "en")}


@pytest.fixture
def chunk_of() -> Callable[[Document], Chunk]:
    return lambda document: chunk_document(document)[0]


@pytest.fixture
def document_of() -> Callable[[str, Language], Document]:
    return make_document


def propose(
    stub: StubServer,
    kind: str,
    document: Document,
    *,
    chunk_tokens: int = 512,
    purpose: Purpose = "train",
    attempts: int = 1,
    **settings: object,
) -> Sequence[Candidates]:
    """Open a strategy over the stub and return what successive attempts on the document's first chunk bring."""
    model = f"openai:stub@{stub.base_url}"
    spec = SPECS[kind].model_validate({"kind": kind, "model": model, "items_per_request": 4, **settings})
    chunk = chunk_document(document, max_tokens=chunk_tokens)[0]

    async def run() -> list[Candidates]:
        crew = open_crew([spec], lambda name: open_client(name, None, concurrency=4, retry=RetryPolicy(first_wait_s=0.01)))
        ((strategy, _),) = crew.writers
        try:
            return [await strategy.propose(document, chunk, purpose=purpose, attempt=attempt) for attempt in range(attempts)]
        finally:
            await crew.aclose()

    return asyncio.run(run())


@pytest.fixture
def propose_with() -> Callable[..., Sequence[Candidates]]:
    return propose
