"""A verdict per area and what to do about it, in Chinese and English, from an audit's figures.

Thresholds are said in the sentences. ``act`` means the data should change before it is trained on; ``look`` that a person should read the
rows named; ``unknown`` that the audit was not given what it needs.
"""

from collections import Counter

from datagen.score.result import Area, AuditResult, Sentence, State

_TEXT = (
    "mojibake",
    "repetition",
    "refusal",
    "placeholder_leftover",
    "pii_email",
    "pii_phone",
    "pii_id_number",
    "pii_bank_card",
    "answer_copied_from_question",
    "language_mismatch",
    "invalid_json",
    "broken_table",
    "bad_url",
    "impossible_date",
    "over_cutoff",
)
_HARMFUL = frozenset(("mojibake", "placeholder_leftover", "pii_email", "pii_phone", "pii_id_number", "pii_bank_card", "over_cutoff"))
_GROUNDING = ("unsupported_number", "evidence_not_found", "off_topic")
_MANY = 0.05
_ONE_OPENING = 0.3
_FEW_KINDS = 0.2
_ONE_TYPE = 0.7
_SECOND_STYLE = 0.02
_LOW_FACTS = 0.5
_POOR_SECTIONS = 0.1


def judge_areas(result: AuditResult) -> list[Area]:
    """Return the verdicts in the order a person should read them."""
    return [
        _rows(result),
        _duplicates(result),
        _text(result),
        _grounding(result),
        _coverage(result),
        _leakage(result),
        _diversity(result),
        _balance(result),
        _size(result),
    ]


def _area(name: str, state: State, zh: str, en: str, todo_zh: str = "", todo_en: str = "") -> Area:
    return Area(name, state, Sentence(zh, en), Sentence(todo_zh, todo_en))


def _counted(result: AuditResult, codes: tuple[str, ...]) -> tuple[Counter[str], int]:
    found = [f for f in result.findings if f.code in codes]
    return Counter(f.code for f in found), len({f.row for f in found})


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{code} {n}" for code, n in counts.most_common(6))


def _rows(result: AuditResult) -> Area:
    counts, n = _counted(result, ("unreadable_row", "empty_answer", "empty_prompt"))
    if not n:
        return _area(
            "rows", "good", f"{result.source.n_rows} 行全部可读，没有空行。", f"All {result.source.n_rows} rows can be read, none is empty."
        )
    return _area(
        "rows",
        "act",
        f"{sum(counts.values())} 行不可读或为空（{_listed(counts)}）。",
        f"{sum(counts.values())} rows cannot be read or are empty ({_listed(counts)}).",
        "修复或删除这些行。",
        "Repair or remove these rows.",
    )


def _duplicates(result: AuditResult) -> Area:
    counts, n = _counted(result, ("exact_duplicate", "near_duplicate"))
    conflicts = len(result.conflicts)
    zh = f"{n} 行重复（{_listed(counts) or '无'}）；{conflicts} 个问题有互相不同的答案。"
    en = f"{n} rows repeat others ({_listed(counts) or 'none'}); {conflicts} questions have answers that differ."
    if not n and not conflicts:
        return _area("duplicates", "good", "没有重复行，也没有同一问题的不同答案。", "No duplicates, and no question with two answers.")
    todo_zh = "；".join(t for t, on in (("用 datagen dedup 去重", n), ("每个冲突问题只保留正确的答案", conflicts)) if on) + "。"
    todo_en = "; ".join(
        t for t, on in (("remove duplicates with datagen dedup", n), ("keep the right answer of each conflict", conflicts)) if on
    )
    return _area("duplicates", "act" if n else "look", zh, en, todo_zh, f"{todo_en[:1].upper()}{todo_en[1:]}.")


def _text(result: AuditResult) -> Area:
    counts, n = _counted(result, _TEXT)
    share = n / max(len(result.source.rows), 1)
    if not n:
        return _area(
            "text",
            "good",
            "没有发现乱码、个人信息、占位符、重复循环等文本问题。",
            "No mojibake, personal data, placeholders, loops or the like were found.",
        )
    state: State = "act" if share > _MANY or counts.keys() & _HARMFUL else "look"
    return _area(
        "text",
        state,
        f"{n} 行（{share:.1%}）有文本问题：{_listed(counts)}。",
        f"{n} rows ({share:.1%}) have flaws in their text: {_listed(counts)}.",
        "从最差的行看起：修正来源或提示词，再重新生成；这些分数只决定先看哪些行，不会自动删除。",
        "Read the worst rows first and fix their cause (document, prompt); these scores order the reading, they remove nothing.",
    )


def _grounding(result: AuditResult) -> Area:
    if result.corpus is None:
        return _area(
            "grounding",
            "unknown",
            "没有给出文档，无法核对答案的依据。",
            "No documents were given, so answers were not checked against any.",
            "用 --docs DIR 给出文档。",
            "Give the documents with --docs DIR.",
        )
    counts, n = _counted(result, _GROUNDING)
    share = n / max(len(result.source.rows), 1)
    if not n:
        return _area(
            "grounding",
            "good",
            "答案中的数字都能在文档里找到，没有离题的行。",
            "Every number of an answer stands in the documents; no row is off topic.",
        )
    return _area(
        "grounding",
        "act" if share > _MANY else "look",
        f"{n} 行（{share:.1%}）与文档不符：{_listed(counts)}。",
        f"{n} rows ({share:.1%}) do not agree with the documents: {_listed(counts)}.",
        "对照原文逐行核对数字；离题的行若不是有意加入，应删除。",
        "Check these numbers against the source; remove off-topic rows unless they are meant.",
    )


def _coverage(result: AuditResult) -> Area:
    coverage = result.coverage
    if coverage is None:
        return _area(
            "coverage",
            "unknown",
            "没有给出文档，无法计算覆盖率。",
            "No documents were given, so coverage is not known.",
            "用 --docs DIR 给出文档。",
            "Give the documents with --docs DIR.",
        )
    poor = coverage.under_covered()
    zh = f"覆盖 {coverage.sections[0]}/{coverage.sections[1]} 个章节、{coverage.facts_share:.0%} 的事实；{len(poor)} 个章节覆盖不足。"
    share = f"{coverage.sections[0]} of {coverage.sections[1]} sections and {coverage.facts_share:.0%} of facts"
    en = f"{share} are covered; {len(poor)} sections are not enough."
    many = len(poor) > _POOR_SECTIONS * max(coverage.sections[1], 1) or coverage.facts_share < _LOW_FACTS
    state: State = "good" if not poor else ("act" if many else "look")
    names = "; ".join(" > ".join((s.document, *s.heading_path[-1:])) for s in poor[:3])
    return _area(
        "coverage",
        state,
        zh,
        en,
        f"优先为这些章节补数据：{names}。" if poor else "",
        f"Write rows for these first: {names}." if poor else "",
    )


def _leakage(result: AuditResult) -> Area:
    _, n = _counted(result, ("leak",))
    if not result.leaked_into:
        return _area(
            "leakage",
            "unknown",
            "没有给出评测集，无法检查泄漏。",
            "No evaluation set was given, so leakage is not known.",
            "用 --against EVAL 给出评测集。",
            "Give it with --against EVAL.",
        )
    if not n:
        return _area("leakage", "good", f"没有训练行出现在 {result.leaked_into} 中。", f"No training row is in {result.leaked_into}.")
    return _area(
        "leakage",
        "act",
        f"{n} 行与 {result.leaked_into} 重叠。",
        f"{n} rows are also in {result.leaked_into}.",
        "从训练集中删除它们，否则评测损失不可信。",
        "Remove them from training: the evaluation loss means nothing with them.",
    )


def _diversity(result: AuditResult) -> Area:
    metrics = {m.name: m for m in result.metrics}
    vendi = metrics.get("vendi_score")
    if vendi is None or len(result.embedded) < 2:
        return _area("diversity", "unknown", "行数太少，无法衡量多样性。", "There are too few rows to measure diversity.")
    opening = float(result.scores["template_rate"].max() or 0.0)  # type: ignore[arg-type]
    share = vendi.value / vendi.n
    zh = f"每 {vendi.n} 行相当于 {vendi.value:.0f} 行互不相同的数据（Vendi）；最常见的问题开头占 {opening:.0%}。"
    different = f"Of {vendi.n} rows, {vendi.value:.0f} are effectively different (Vendi)"
    en = f"{different}; the commonest opening of a question has {opening:.0%} of rows."
    if opening > _ONE_OPENING or share < _FEW_KINDS:
        return _area(
            "diversity",
            "look",
            zh,
            en,
            "让提示词要求不同的问法和主题，再看各主题的分布。",
            "Ask for other phrasings and topics when generating, and look at the topics below.",
        )
    return _area("diversity", "good", zh, en)


def _balance(result: AuditResult) -> Area:
    balance = result.balance
    rows = max(sum(balance.styles.values()), 1)
    parts_zh: list[str] = []
    parts_en: list[str] = []
    if len(balance.styles) > 1 and min(balance.styles.values()) / rows > _SECOND_STYLE:
        mix = ", ".join(f"{style} {n}" for style, n in balance.styles.items())
        parts_zh.append(f"两种行格式混用（{mix}）：同一数据集应只用 persona 或 task 一种")
        parts_en.append(f"two row styles are mixed ({mix}): keep to persona or task")
    asked = max(sum(balance.question_types.values()), 1)
    kind, n = next(iter(balance.question_types.items()), ("", 0))
    if n / asked > _ONE_TYPE and len(balance.question_types) > 1:
        parts_zh.append(f"{n / asked:.0%} 的问题属于同一类型（{kind}）")
        parts_en.append(f"{n / asked:.0%} of questions are of one type ({kind})")
    if not parts_zh:
        style = next(iter(balance.styles), "–")
        return _area(
            "balance",
            "good",
            f"行格式一致（{style}），{len(balance.question_types)} 种问题类型。",
            f"One row style ({style}), {len(balance.question_types)} types of question.",
        )
    text = "; ".join(parts_en)
    return _area(
        "balance",
        "look",
        "；".join(parts_zh) + "。",
        f"{text[:1].upper()}{text[1:]}.",
        "若不是有意为之，请统一后再训练。",
        "Make it uniform before training, unless it is meant.",
    )


def _size(result: AuditResult) -> Area:
    first = result.size[0]
    zh, en = f"{first.message_zh}。", f"{first.message}."
    if first.level == "too_few":
        return _area("size", "look", zh, en, "先补数据，再用 datagen probe 看效果。", "Grow first, then measure with datagen probe.")
    todo_zh = "够不够只能由探针回答：datagen probe 或 datagen curve。"
    return _area("size", "good", zh, en, todo_zh, "Whether it is enough only a probe can say: datagen probe or datagen curve.")
