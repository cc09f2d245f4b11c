"""Which eval questions are answered in words."""

from collections.abc import Sequence

from datagen.schemas.record import TextRecord
from datagen.schemas.sample import Sample


def choose_questions(exam: Sequence[Sample], count: int) -> list[Sample]:
    """Choose questions spread over eval sets, languages and documents; deterministic. Plain texts ask nothing and are left out."""
    queues: dict[tuple[str, str], list[Sample]] = {}
    asking = [s for s in exam if not isinstance(s.record, TextRecord)]
    for sample in sorted(asking, key=lambda s: s.id):
        queues.setdefault((sample.tags.get("eval_set", ""), sample.tags.get("language", "")), []).append(sample)
    chosen: list[Sample] = []
    used: set[str] = set()
    while len(chosen) < min(count, len(asking)):
        for key in sorted(queues):
            queue = queues[key]
            if queue and len(chosen) < count:
                fresh = next((s for s in queue if s.provenance.document not in used), queue[0])
                queue.remove(fresh)
                used.add(fresh.provenance.document)
                chosen.append(fresh)
    return chosen
