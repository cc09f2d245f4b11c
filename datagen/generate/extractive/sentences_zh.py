"""Facts in Chinese sentences: definitions, numbers asked for in place, and rules (必须, 不得, 可以 ...)."""

import re
from collections.abc import Iterator

from datagen.generate.extractive.fact import Fact
from datagen.generate.extractive.markdown import plain
from datagen.text import CJK, Span

_N = r"(?:\d[\d,，]*(?:\.\d+)?|两|[二三四五六七八九十百千]{1,5})"
_RANGE = rf"{_N}(?:\s*(?:-|–|—|~|～|至|到)\s*{_N})?"
_CLOCK = r"(?:凌晨|早上|上午|中午|下午|傍晚|晚上|晚间)?\s*(?:\d{1,2}[:：]\d{2}|\d{1,2}\s*[点时](?!间|候|段)(?:\d{1,2}分|半|整)?)"
_DAY = r"(?:\d{4}\s*年\s*)?\d{1,2}\s*月\s*\d{1,2}\s*[日号]"
_UNITS = (
    "间夜|个工作日|个自然日|工作日|自然日|个小时|个星期|平方米|人民币|小时|分钟|个月|星期|平米|公里|公斤|美元|欧元|港币|万元|厘米|周岁|人次|积分"
    "|元|天|日|晚|夜|周|年|秒|米|岁|人|位|名|间|次|层|楼|折|倍|种|张|份|件|条|台|辆|只|个|家|套|项|本|页|字|分|星|GB|MB|TB|kg|km²|km|cm|㎡|m²|L"
)
# With a numeral written as a word these mostly close a list (粤语和四川话两种) and are not worth a question.
_LOOSE_UNITS = frozenset("个人名家种项类条套份张")
_CLAUSE_MARK = re.compile(r"[，；：;]|[,:](?!\d)")
_AGENT = re.compile(
    r"(?:人|客|员|户|者|方|您|旅客|住客|客人|会员|用户|酒店|商家|公司|企业|账号|门店|部门|平台|机构|学生|读者|家长|单位)(?:们)?$|(?:时|前|后|内|期间)$"
)
# What is asked for, most specific first: (pattern, how the question names it).
_ASKED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"{_CLOCK}\s*(?:-|–|—|~|～|至|到)\s*(?:次日|当日|第二天)?\s*{_CLOCK}"), "几点到几点"),
    (re.compile(rf"{_DAY}\s*(?:-|–|—|~|～|至|到)\s*(?:次年)?{_DAY}"), "哪天到哪天"),
    (re.compile(_DAY), "哪一天"),
    (re.compile(_CLOCK), "几点"),
    (re.compile(rf"{_N}\s*[%％]?\s*(?:-|–|—|~|～|至|到)\s*{_N}\s*[%％]|{_N}\s*[%％]|百分之{_N}"), "百分之多少"),
    (re.compile(r"(?<!\d)(?:19|20)\d{2}\s*年(?!\s*\d)"), "哪一年"),
    (re.compile(r"(?:人民币|[¥￥])\s*\d[\d,]*(?:\.\d+)?(?:\s*元)?"), "多少元"),
    (re.compile(rf"第\s*{_N}\s*(?:层|楼)"), "第几层"),
    (re.compile(rf"(?<![第周期拜初\d.A-Za-z])(?<!第 ){_RANGE}\s*折"), "几折"),
    (re.compile(rf"(?<![第周期拜初\d.A-Za-z])(?<!第 ){_RANGE}\s*({_UNITS})(?!{_N})"), "多少{unit}"),
)
_CONNECTIVE = re.compile(
    r"^(?:同时|另外|此外|因此|所以|但是|但|而且|并且|不过|然而|一般来说|一般而言|通常情况下|通常|需要注意的是|请注意|注意|首先|其次|最后|其中|例如|比如)[，,：:]?"
)
_DANGLING = re.compile(r"^(?:该|此|其|它|他|她|这|那|上述|以上|以下|如上|前述|前者|后者|本条|否则|之后|然后|随后|届时)")
_LOOSE_START = re.compile(
    r"^(?:则|并|且|即|就|将|可|需|按|收|退|扣|计|不|超过|超出|逾期|每|内|的|为|至少|最多|最少|最高|最低|应|须|会|共|约|仅|还|也|都|如|若|最迟|最晚|最长|最早|提前|均|在|自|从|由|以|低于|高于|合计|全额|退还|扣除|额外|另)"
)
_DEFINITION = re.compile(
    r"^(?P<s>[^，。；：！？,;:!?]{2,22}?)(?:[（(][^）)]*[）)])?(?P<v>是指|指的是|系指|是(?=一[种个款家项类套座间门本]|由|用于|用来|指|为了|以|目前|国内|中国|我国|专门|面向)|即为|又称|也称|简称)(?P<d>[^？?]{4,})$"
)
_NOT_SUBJECT = re.compile(
    r"^(?:如果|若|当|因为|由于|但|而|这|那|它|他|她|其|此|该|我|我们|您|你|你们|大家|有|凡|只要|只有|不管|无论|对于|对|在|以上|以下|上述|另|目前|现在|如|就|也|都|还)"
    r"|(?:不|否|但|还|就|可|于|只|要|也|都|总|便|或|若|而|应|正|仍|均|算|既|能|会|都|乃|可能|一定|已经|往往|一般|通常|主要|其实|的)$"
)
_MODAL = re.compile(
    r"^(?P<s>[^，。；：！？,;:!?]{2,24}?)(?P<m>必须|不得|应当|需要|务必|应(?=[^{}用对急])|须|可以|禁止|不可|不能|无需|无须)(?P<d>[^？?]{3,})$"
)
_HAN = re.compile(f"[{CJK}]")


def find_in_chinese(sentence: str, span: Span) -> Iterator[Fact]:
    """Yield the facts of one sentence; ``sentence`` is document text, ``span`` its offsets."""
    full = re.sub(r"[；;]$", "。", plain(sentence))
    core = _CONNECTIVE.sub("", full).strip()
    if (
        len(_HAN.findall(core)) < 6
        or _DANGLING.match(core)
        or core.endswith(("？", "?", "：", ":"))
        or len(core) > 160
        or _unbalanced(core)
    ):
        return
    body = core.rstrip("。；;！!. ")
    definition = _DEFINITION.match(body)
    if definition and not _NOT_SUBJECT.search(definition.group("s")):
        subject = definition.group("s").strip('“”《》" ')
        verb = definition.group("v")
        short = _first_clause(definition.group("d").strip()) if verb != "是" else f"是{definition.group('d').strip()}"
        form = "alias" if verb in ("又称", "也称", "简称") else "definition"
        yield Fact(
            "definition",
            span,
            (span,),
            full,
            _stop(short),
            {"subject": subject, "told": re.sub(r"^是", "", short)},
            form,
            "" if form == "alias" else subject,
        )
    yield from _numbers(body, full, span)
    modal = _MODAL.match(body)
    if modal and not _NOT_SUBJECT.search(modal.group("s")) and not _LOOSE_START.match(modal.group("s")) and _may_be_asked(modal):
        yield _rule(modal, full, span)


def is_dependent(clause: str) -> bool:
    """Say whether a clause needs the sentence before it to be understood, or is cut inside a quotation or bracket."""
    return bool(_DANGLING.match(clause) or _LOOSE_START.match(clause) or _CONNECTIVE.match(clause)) or _unbalanced(clause)


def _numbers(body: str, full: str, span: Span) -> Iterator[Fact]:
    taken: list[tuple[int, int]] = []
    for pattern, asked in _ASKED:
        for match in pattern.finditer(body):
            if any(match.start() < e and s < match.end() for s, e in taken):
                continue
            taken.append(match.span())
            if len(taken) > 3:
                return
            unit = match.group(match.lastindex) if match.lastindex else ""
            named = asked.format(unit=unit)
            if (unit in _LOOSE_UNITS and not match.group()[0].isdigit()) or (unit == "分" and re.match(r"之|\s*\d", body[match.end() :])):
                continue
            if unit == "日" and not re.match(r"\s*(?:之内|以内|内|以上|游)", body[match.end() :]):
                named = "几日"
            if _enumerated(body, *match.span()):
                continue
            question = _in_place(body, match.start(), match.end(), named)
            cue = _cue(body, match.start(), match.end())
            if question and cue:
                kind = "date" if asked in ("哪一天", "哪天到哪天", "哪一年") else "number"
                yield Fact(kind, span, (span,), full, match.group().strip(), {"in_place": question, "cue": cue})


def _in_place(body: str, start: int, end: int, asked: str) -> str:
    """Return the clause around a number as a question, widened until it can stand alone; '' if it cannot."""
    marks = [m.start() for m in _CLAUSE_MARK.finditer(body)]
    before = [at + 1 for at in marks if at < start]
    after = [at for at in marks if at >= end]
    left, right = (before[-1] if before else 0), (after[0] if after else len(body))
    open_end = re.search(r"的$|^(?:的|时|后)$", body[end:right].strip())
    if open_end and not after:
        return ""
    if (
        after
        and (open_end or not body[end:right].strip())
        and (open_end or asked == "几点" or re.match(r"[，,]\s*(?:可|则|即|就|便|才|方|将|会|系统)", body[right:]))
    ):
        right = after[1] if len(after) > 1 else len(body)
    while before:
        left = before.pop()
        outside = len(_HAN.findall(body[left:start] + body[end:right]))
        if outside >= 6 and not _LOOSE_START.match(body[left:right].strip()) and not _DANGLING.match(body[left:right].strip()):
            break
        left = before[-1] if before else 0
    question = _CONNECTIVE.sub("", f"{body[left:start].rstrip()}{asked}{body[end:right].lstrip()}".strip())
    question = re.sub(r"(?:约|大约)(?=(?:多少|几|百分之多少))|(?<=[元天时日])左右$", "", question)
    head = re.match(r"[^，。；：:]{2,14}(?=：|:(?!\d))", body)
    if head and left >= head.end() and head.group() not in question:
        question = f"“{head.group()}”这一项中，{question}" if "“" not in head.group() else ""
    if _unbalanced(question) or len(_HAN.findall(question)) < 7 or len(question) > 60 or _DANGLING.match(question):
        return ""
    return question


def _enumerated(body: str, start: int, end: int) -> bool:
    """Say whether the number is one of several joined by 或, 和 or 、: asking for one of them would give away the others."""
    return bool(
        re.search(r"\d[^，。；]{0,4}(?:或|和|与|、|及|至|到|~|～|-|–)\s*$", body[:start])
        or re.match(r"\s*(?:或|和|与|、|及|至|到|~|～|-|–)\s*(?:\d|第)", body[end:])
    )


def _cue(body: str, start: int, end: int) -> str:
    """Return a passage of the sentence away from the number that recalls what it is about; '' if there is none."""
    lefts, rights = _CLAUSE_MARK.split(body[:start]), _CLAUSE_MARK.split(body[end:])
    right = re.sub(r"^(?:以上|以下|以内|之内|之前|之后|左右|内|前|后|起|的|则|为)+", "", rights[0].strip())
    clauses = [c.strip() for c in (right, *lefts[:-1], *rights[1:], lefts[-1])]
    usable = [c for c in clauses if 4 <= len(_HAN.findall(c)) <= 24 and not re.search(r"\d", c) and not _unbalanced(c)]
    good = [c for c in usable if not _DANGLING.match(c)]
    return good[0] if good else ""


def _may_be_asked(modal: "re.Match[str]") -> bool:
    return bool(_AGENT.search(modal.group("s")))


def _rule(modal: "re.Match[str]", full: str, span: Span) -> Fact:
    subject, verb = modal.group("s").strip(), modal.group("m")
    ask = {"可以": "可以做什么", "不得": "不得做什么", "禁止": "禁止做什么", "不可": "不可以做什么", "不能": "不能做什么"}.get(verb)
    if not ask:
        ask = {"无需": "无需做什么", "无须": "无须做什么", "需要": "需要做什么", "必须": "必须做什么", "务必": "务必做什么"}.get(
            verb, "应当做什么"
        )
    return Fact(
        "rule", span, (span,), full, _stop(_first_clause(modal.group("d").strip())), {"subject": subject, "in_place": f"{subject}{ask}"}
    )


def _first_clause(text: str) -> str:
    """Return the first clause if it is long enough to be an answer, else the whole text."""
    clause = re.split(r"[，；]", text)[0]
    return clause if len(_HAN.findall(clause)) >= 4 and not clause.endswith(("的", "时", "后")) and not _unbalanced(clause) else text


def _stop(text: str) -> str:
    return text if text.endswith(("。", "！", "；", "”")) else f"{text}。"


def _unbalanced(text: str) -> bool:
    return any(text.count(a) != text.count(b) for a, b in ("（）", "“”", "《》", "()", "【】", "「」")) or text.count('"') % 2 == 1
