"""Answers of both arms' first adapters to the chosen questions, from disk where they were written before."""

from collections.abc import Sequence

from datagen.probe.engine.job import BASE, Job, RunSpec
from datagen.probe.measure.metrics import score_answers
from datagen.probe.measure.questions import choose_questions
from datagen.probe.result import Answer, ArmScores
from datagen.probe.store import runs
from datagen.probe.store.texts import Written, store_answers, stored_answers
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample


def collect_answers(job: Job, before: RunSpec, after: RunSpec) -> tuple[list[Answer], list[ArmScores]]:
    """Answer with two runs' adapters (``before`` may be the untrained model); stored beside the runs, so a cached run needs no model."""
    questions = choose_questions(job.exam, job.config.answers) if job.config.stage != "pt" else []
    if not questions:
        return [], []
    references = [completion_text(q.record) for q in questions]
    old, new = (_written(job, spec, questions) for spec in (before, after))
    answers = [
        Answer(
            question=prompt_text(q.record),
            reference=reference,
            baseline=a.text,
            new=b.text,
            eval_set=q.tags.get("eval_set", "recall"),
            language=q.tags.get("language", ""),
        )
        for q, reference, a, b in zip(questions, references, old, new, strict=True)
    ]
    scores = [ArmScores(arm=spec.arm, scores=score_answers(w, references)) for spec, w in ((before, old), (after, new))]
    return answers, scores


def _written(job: Job, spec: RunSpec, questions: Sequence[Sample]) -> list[Written]:
    folder = job.folder(spec)
    path = folder / f"answers-{runs.data_key(questions)[:12]}-{job.config.max_new_tokens}.json"
    found = stored_answers(path)
    if found is not None:
        return found
    backend = job.load()
    from datagen.probe.measure.answers import generate_answers

    job.note(f"answering {len(questions)} questions ({spec.arm})")
    if spec.arm != BASE:
        from datagen.probe.models.adapter import load_adapter

        load_adapter(backend, folder / "adapter")
    by_id = {e.id: e for e in job.encode("exam").examples}
    answers = generate_answers(
        backend, [by_id[q.id] for q in questions], max_new_tokens=job.config.max_new_tokens, adapted=spec.arm != BASE
    )
    store_answers(path, answers)
    return answers
