"""The dataset card: what is inside, where it came from, how it was made, what an audit found. Names from data are shown as code, never
as markup."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from datagen.export.size_advice import advise
from datagen.jsonl import JsonObject
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample

_SHOWN = 50
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card is written from; ``sources`` maps input files to their sha256."""

    name: str
    kind: str
    splits: dict[str, Sequence[Sample]]
    licence: str
    audit: JsonObject | None
    sources: dict[str, str]


def card_text(facts: CardFacts) -> str:
    """Return README.md: YAML head that the Hub reads, then the card."""
    samples = [sample for part in facts.splits.values() for sample in part]
    parts = [_head(facts, samples), f"# {_plain(facts.name)}", _summary(facts, samples), _splits(facts), _provenance(samples)]
    parts += [_generation(samples), _audit(facts.audit), _sources(facts.sources), _licence(facts.licence, samples)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(facts: CardFacts, samples: Sequence[Sample]) -> str:
    import yaml

    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in facts.splits]
    head = {
        "license": facts.licence,
        "language": sorted({language for s in samples if (language := s.tags.get("language"))}) or ["zh", "en"],
        "pretty_name": facts.name,
        "task_categories": ["text-generation"],
        "size_categories": [next((label for most, label in _SIZES if len(samples) < most), "n>1M")],
        "tags": ["datagen", *(["synthetic"] if any(s.provenance.strategy for s in samples) else [])],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    return f"---\n{yaml.safe_dump(head, allow_unicode=True, sort_keys=False)}---"


def _summary(facts: CardFacts, samples: Sequence[Sample]) -> str:
    lines = [f"{len(samples):,} rows ({facts.kind.replace('_', ' ')}). {advise(samples)[0].message}."]
    lines.append(f"共 {len(samples):,} 行。{advise(samples)[0].message_zh}。")
    return "\n\n".join(lines)


def _splits(facts: CardFacts) -> str:
    rows = []
    for split, samples in facts.splits.items():
        lengths = sorted(len(prompt_text(s.record)) + len(completion_text(s.record)) for s in samples)
        languages = Counter(s.tags.get("language", "unknown") for s in samples)
        spread = ", ".join(f"{_plain(language)} {count:,}" for language, count in languages.most_common())
        rows.append((split, f"{len(samples):,}", spread, f"{lengths[len(lengths) // 2]:,}", f"{lengths[-1]:,}"))
    return "## Sizes / 规模\n\n" + _table(("split", "rows", "languages", "characters (median)", "characters (longest)"), rows)


def _provenance(samples: Sequence[Sample]) -> str:
    documents = Counter(s.provenance.document for s in samples if s.provenance.document)
    if not documents:
        return (
            "## Provenance / 来源\n\nThe rows carry no provenance: nothing is known of the documents they come from. 数据行没有来源信息。"
        )
    quoted = sum(bool(s.provenance.evidence) for s in samples)
    rows = [(_code(name), f"{count:,}") for name, count in sorted(documents.items())[:_SHOWN]]
    more = f"\n\nand {len(documents) - _SHOWN} more documents" if len(documents) > _SHOWN else ""
    head = f"{len(documents)} documents; {quoted:,} of {len(samples):,} rows carry verbatim evidence from theirs."
    return f"## Provenance / 来源\n\n{head}\n\n{_table(('document', 'rows'), rows)}{more}"


def _generation(samples: Sequence[Sample]) -> str:
    made: Counter[tuple[str, str, str, str]] = Counter()
    for sample in samples:
        p = sample.provenance
        if p.strategy:
            settings = ", ".join(f"{key}={value}" for key, value in sorted(p.parameters.items()))
            made[(p.strategy, p.prompt, f"{p.provider}:{p.model}" if p.model else "no model", settings)] += 1
    if not made:
        return ""
    rows = [(*(_code(part) if part else "" for part in key), f"{count:,}") for key, count in made.most_common(_SHOWN)]
    return "## Generation / 生成\n\n" + _table(("strategy", "prompt", "model", "settings", "rows"), rows)


def _audit(audit: JsonObject | None) -> str:
    if audit is None:
        return ""
    rows = [(_code(name), _code(str(value))) for name, value in _figures("", audit)][:_SHOWN]
    return "## Audit / 审计\n\n" + _table(("figure", "value"), rows)


def _figures(prefix: str, value: Any) -> list[tuple[str, str | int | float]]:
    """Return the numbers and short texts of an audit's JSON by dotted name; lists are left to the audit itself."""
    if isinstance(value, dict):
        fields = cast("JsonObject", value).items()
        return [figure for key, inner in fields for figure in _figures(f"{prefix}.{key}" if prefix else key, inner)]
    if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 80):
        return [(prefix, round(value, 4) if isinstance(value, float) else value)]
    return []


def _sources(sources: dict[str, str]) -> str:
    if not sources:
        return ""
    rows = [(_code(name), _code(sha256)) for name, sha256 in sources.items()]
    return "## Files this was made from / 输入文件\n\n" + _table(("file", "sha256"), rows)


def _licence(licence: str, samples: Sequence[Sample]) -> str:
    text = f"Licence: {_code(licence)}." + (" Nobody has said under which licence these rows may be used." if licence == "unknown" else "")
    text += " Rows made from documents may be derivatives of them: check the documents' own terms."
    if any("gemma" in s.provenance.model.lower() for s in samples):
        text += " Some rows were written by a Gemma model; the Gemma Terms of Use apply to them, and may apply to a model trained on them."
    return f"## Licence / 许可\n\n{text}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _code(text: str) -> str:
    """Show text from data as inline code that cannot leave its table cell."""
    cleaned = re.sub(r"[`|\r\n\t]+", " ", text).strip()[:200]
    return f"`{cleaned}`" if cleaned else ""


def _plain(text: str) -> str:
    return re.sub(r"[^\w .,()\-]+", " ", text).strip()
