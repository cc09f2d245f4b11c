"""Facts that a passage's form gives away: FAQ headings and pairs, tables, lists, procedures, key and value lines."""

import re
from collections.abc import Iterator, Sequence

from datagen.generate.extractive.fact import Fact
from datagen.generate.extractive.markdown import Block, Heading, ListBlock, Paragraph, Table, plain, plain_lines
from datagen.schemas.document import Language
from datagen.text import CJK, Span, split_sentences, units

_QUESTION_END = ("?", "？")
_QUESTION_WORD = re.compile(
    r"(?i)^(?:how|what|when|where|who|which|why|can|could|do|does|is|are|may|should|will|must)\b"
    r"|吗$|如何|怎么|怎样|是否|多少|多久|哪些|哪里|什么|几点|为什么|能否|可否|能不能|可不可以"
)
_PAIR = re.compile(
    r"(?im)^\s*(?:[-*]\s*)?\**(?:问|Q|Question)\s*\d*\**\s*[：:.、]\s*\**\s*(?P<q>.+?)\**\s*\n+"
    r"\s*(?:[-*]\s*)?\**(?:答|A|Answer)\s*\d*\**\s*[：:.、]\**\s*(?P<a>.+(?:\n(?!\s*(?:[-*]\s*)?\**(?:问|Q"
    r"|Question)\s*\d*\**\s*[：:.、])(?!\s*#)(?!\s*$).+)*)"
)
_KEY = re.compile(
    rf"^\s*(?:\*\*|__)?(?P<k>[A-Za-z{CJK}][^：:，。,；;|?？!！《》\n]{{0,38}}?)(?:\*\*|__)?\s*(?:：|:(?=\s|\*))(?:\*\*|__)?\s*(?P<v>\S.*)$",
    re.S,
)
_STEP_CUE = re.compile(r"(?i)步骤|流程|操作|顺序|\bsteps?\b|procedure|process|how to|proceed|instructions?")
_ACTION = re.compile(
    r"(?i)^(?:请)?(?:打开|点击|点|选择|选|进入|填写|填|提交|确认|输入|登录|上传|支付|付款|下载|搜索|联系|扫描|扫码|收到|出示|核对|拨打|领取|注册|前往|找到|查看|按)"
    r"|^(?:please )?(?:open|click|choose|enter|select|go|tap|upload|pay|fill|submit|check|sign|log|name|press|type|run"
    r"|install|download|insert|connect|"
    r"visit|find|add|set|create|confirm|review|send|show|scan|call|book|start|boot|pick|present|hand|return|wait|keep|take)\b"
)
_BARE_KEY = re.compile(
    r"(?i)^(?:注|注意|备注|提示|例如|例|如|说明|原因|其中|即|note|notes|tip|warning|example|e\.g|i\.e|caution|remark|http|https|问|答|q|a)$"
)
_YES_NO = re.compile(r"^(?:是|否|有|无|含|不含|可|不可|支持|不支持|包含|√|×|✓|✗|yes|no)$", re.IGNORECASE)


def find_structured(text: str, start: int, blocks: Sequence[Block], language: Language) -> Iterator[Fact]:
    """Yield facts in text order; ``text`` is the document, ``blocks`` those of one chunk that begins at ``start``."""
    end = max((block.span.end for block in blocks), default=start)
    for match in _PAIR.finditer(text[start:end]):
        answer = Span(start + match.start("a"), start + match.end("a"))
        question = plain(match.group("q"))
        if len(units(question)) >= 3:
            yield _faq(text, question, Span(start + match.start(), answer.end), answer)
    for i, block in enumerate(blocks):
        following = blocks[i + 1] if i + 1 < len(blocks) else None
        before = blocks[i - 1] if i else None
        match block:
            case Heading():
                yield from _faq_heading(text, block, blocks[i + 1 :])
            case Table():
                yield from _table(text, block)
            case ListBlock():
                heading = next((b for b in reversed(blocks[:i]) if isinstance(b, Heading)), None)
                named = text[heading.span.start : heading.span.end] if heading else ""
                yield from _list(text, block, before, named, language)
            case Paragraph():
                if not isinstance(following, ListBlock) or not text[block.span.start : block.span.end].rstrip().endswith((":", "：")):
                    yield from _key_values(text, block.span)


def is_question(text: str) -> bool:
    """Say whether a heading asks something."""
    return text.rstrip().endswith(_QUESTION_END) or (bool(_QUESTION_WORD.search(text)) and text.rstrip().endswith(("吗", "呢")))


def short_answer(text: str) -> str:
    """Return the first sentence of an answer, or its first clause if there is only one sentence and the clause can stand alone."""
    spans = split_sentences(text)
    first = text[spans[0].start : spans[0].end].strip() if spans else text
    if len(spans) > 2 and len(units(first)) < 3:
        first = text[spans[0].start : spans[1].end].strip()
    if len(spans) > 1 and len(units(first)) >= 2:
        return re.sub(r"[；;]$", "。", first)
    clause = re.split(r"[，,；;]", first, maxsplit=1)[0].strip()
    return f"{clause}。" if clause != first and len(units(clause)) >= 6 and re.search(f"[{CJK}]", clause) else first


def _faq(text: str, question: str, span: Span, answer: Span) -> Fact:
    full = plain_lines(text[answer.start : answer.end])
    shown = re.sub(r"^(?:-|\d{1,2}[.、)])\s+", "", full)
    return Fact("faq", span, (answer,), full, short_answer(shown), {"question": question.rstrip("?？ ")})


def _faq_heading(text: str, heading: Heading, rest: Sequence[Block]) -> Iterator[Fact]:
    question = plain(text[heading.span.start : heading.span.end])
    question = re.sub(r"^(?:Q|问)?\s*\d+\s*[.、：:]\s*|^(?:Q|问)\s*[：:]\s*", "", question)
    if not is_question(question):
        return
    body: list[Block] = []
    for block in rest:
        if isinstance(block, Heading | Table) or len(body) == 3:
            break
        body.append(block)
    if not body:
        return
    answer = Span(body[0].span.start, body[-1].span.end)
    raw = text[answer.start : answer.end]
    marker = re.match(r"\s*\**(?:答|A|Answer)\**\s*[：:]\**\s*", raw)
    if marker:
        answer = Span(answer.start + marker.end(), answer.end)
    if len(text[answer.start : answer.end]) <= 700:
        yield _faq(text, question, Span(heading.span.start, answer.end), answer)


def _table(text: str, table: Table) -> Iterator[Fact]:
    header = [re.sub(r"^[或及和](?=..)", "", plain(text[cell.start : cell.end])) for cell in table.header]
    head = Span(table.header[0].start, table.header[-1].end)
    for span, cells in table.rows:
        values = [plain(text[cell.start : cell.end]) for cell in cells]
        if len(values) < 2 or len(values) != len(header) or not values[0] or not header[0]:
            continue
        row = values[0]
        pairs = [(c, v) for c, v in zip(header[1:], values[1:], strict=True) if c and v not in ("", "-", "—", "–", "/", "N/A")]
        for (column, value), cell in ((p, cells[1:][i]) for i, p in enumerate(zip(header[1:], values[1:], strict=True)) if p in pairs):
            sentence = f"{row}的{column}：{value}" if _cjk(row + column) else f"{column} for {row}: {value}"
            form = "table_number" if re.match(r"^[¥￥$€]?\s*\d", value) else "table"
            if _YES_NO.match(value):
                form = "table_yes_no"
            slots = {"row": row, "column": column, "row_key": header[0], "value": value}
            yield Fact("table", cell, (head, span, cell), sentence, value, slots, form)
        if len(pairs) >= 2:
            colon, joint = ("：", "；") if _cjk("".join(header)) else (": ", "; ")
            full = joint.join(f"{c}{colon}{v}" for c, v in [(header[0], row), *pairs])
            told = ("，" if _cjk("".join(header)) else ", ").join(f"{c}{colon}{v}" for c, v in pairs[:3])
            yield Fact("table_row", span, (head, span), full, row, {"row": row, "row_key": header[0], "told": told})


def _list(text: str, block: ListBlock, before: Block | None, heading: str, language: Language) -> Iterator[Fact]:
    raw_items = [text[item.start : item.end] for item in block.items]
    items = [plain(raw) for raw in raw_items]
    lead = _lead(text, before)
    named = [item for item in block.items if _key_value(text, item)]
    for item in block.items:
        yield from _key_values(text, item)
    if len(items) < 2 or len(items) > 12 or (len(named) == len(items) and not lead):
        return
    evidence = Span(before.span.start if lead and isinstance(before, Paragraph) else block.span.start, block.span.end)
    full = plain_lines(text[block.span.start : block.span.end])
    if len(full) > 700:
        return
    is_procedure = block.ordered and (
        bool(_STEP_CUE.search(lead or heading)) or 2 * sum(bool(_ACTION.match(i)) for i in items) >= len(items)
    )
    if not is_procedure:
        yield Fact("list", block.span, (evidence,), full, items[0], {"lead": lead}, "list_lead" if lead else "list")
        return
    first = _number_of(text, block.items[0])
    goes_on = re.match(r"\s*\d{1,2}[.)、]", text[block.span.end : block.span.end + 12])
    if first == 1 and not goes_on:
        yield Fact("procedure", block.span, (evidence,), full, items[-1], {"lead": lead}, "procedure")
    for k, (item, span) in enumerate(zip(items, block.items, strict=True), first):
        previous = _opening(items[k - first - 1]) if k > first else ""
        slots = {"n": str(k), "previous": previous}
        sentence = f"第 {k} 步：{item}" if language == "zh" else f"Step {k}: {item}"
        number = f"第 {k} 步。" if language == "zh" else f"Step {k}."
        yield Fact("step", span, (span,), sentence, short_answer(item), slots, "step" if k > 1 else "first_step", number)


def _number_of(text: str, item: Span) -> int:
    """Return the number in front of a list item, 1 if there is none: a chunk may begin in the middle of a list."""
    marker = re.search(r"(\d{1,2})\D{1,3}$", text[max(0, item.start - 6) : item.start])
    return int(marker.group(1)) if marker else 1


def _key_values(text: str, span: Span) -> Iterator[Fact]:
    """Yield one fact for each line ``key: value`` of a paragraph or item."""
    for line in re.finditer(r"[^\n]+", text[span.start : span.end]):
        found = Span(span.start + line.start(), span.start + line.end())
        pair = _key_value(text, found)
        if pair:
            key, value, value_span = pair
            sentence = plain(text[found.start : found.end])
            form = "key_number" if re.match(r"^[¥￥$€]?\s*\d[^，,；;。]{0,14}$", value) else "key_value"
            yield Fact("key_value", found, (found, value_span), sentence, short_answer(value), {"key": key}, form, key)


def _key_value(text: str, span: Span) -> tuple[str, str, Span] | None:
    match = _KEY.match(text[span.start : span.end])
    if not match or "\n" in match.group().strip():
        return None
    key, value = plain(match.group("k")), plain(match.group("v"))
    words = len(key) if _cjk(key) else len(key.split()) * 3
    if not 2 <= words <= 15 or _BARE_KEY.match(key) or not units(value) or re.search(r"(?i)如下|以下|包括$|following|^(?:step|第)\b", key):
        return None
    return key, value, Span(span.start + match.start("v"), span.start + match.end("v"))


def _lead(text: str, before: Block | None) -> str:
    """Return the line that introduces a list, without its colon; '' if the block before does not introduce it."""
    if not isinstance(before, Paragraph):
        return ""
    last = text[before.span.start : before.span.end].rstrip()
    if not last.endswith((":", "：")):
        return ""
    sentence = split_sentences(last)[-1]
    lead = plain(last[sentence.start : sentence.end]).rstrip(":： ")
    return lead if 3 <= len(units(lead)) <= 30 else ""


def _opening(item: str) -> str:
    """Return the first clause of a step, or the whole step if the clause says too little alone."""
    clause = re.split(r"[，；;。]|, |\. ", item)[0]
    return _no_stop(item if clause.endswith("的") or len(units(clause)) < 4 else clause)


def _no_stop(text: str) -> str:
    return text.rstrip("。.；;，, ")


def _cjk(text: str) -> bool:
    return bool(re.search(f"[{CJK}]", text))
