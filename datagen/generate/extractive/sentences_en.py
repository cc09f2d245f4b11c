"""Facts in English sentences: definitions, numbers (asked for or left blank) and rules (must, may not, ...)."""

import re
from collections.abc import Iterator

from datagen.generate.extractive.fact import Fact
from datagen.generate.extractive.markdown import plain
from datagen.text import Span, units

_NUM = r"\d[\d,]*(?:\.\d+)?"
_WORDS = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|sixty|ninety"
_CLOCK = r"\d{1,2}:\d{2}(?:\s*[ap]\.?m\b\.?)?|\d{1,2}\s*[ap]\.?m\b\.?|noon|midnight"
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = rf"(?:{_MONTHS})\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+\d{{4}})?|\d{{1,2}}\s+(?:{_MONTHS})(?:\s+\d{{4}})?|(?:{_MONTHS})\s+\d{{4}}"
_NOUN = (
    "business days|working days|calendar days|days|day|nights|night|hours|hour|minutes|minute|seconds|weeks|week|months|month|years|year|"
    "guests|guest|people|persons|adults|children|rooms|room|floors|beds|suites|seats|square metres|square meters|sqm|km"
    "|kilometres|kilometers|"
    "metres|meters|miles|kg|GB|MB|TB|KB|GiB|MiB|points|stars|items|packages|developers|architectures|books|pages|times"
    "|people|characters|bits|bytes|steps|bottles|pieces|"
    "yuan|RMB|CNY|dollars|USD|euros|EUR"
)
_VALUE = re.compile(
    rf"(?P<clocks>(?:{_CLOCK})\s*(?:-|–|to|and|until)\s*(?:{_CLOCK}))|(?P<clock>\b(?:{_CLOCK}))|(?P<date>\b(?:{_DATE}))"
    rf"|(?P<percent>{_NUM}\s*(?:%|percent|per cent))"
    rf"|(?P<money>(?:RMB|CNY|USD|EUR|US\$|[¥$€£])\s*{_NUM}|{_NUM}\s*(?:yuan|RMB|CNY|dollars|USD|euros|EUR)\b)"
    rf"|(?P<count>\b(?:{_NUM}|{_WORDS})(?:\s*(?:-|–|to)\s*{_NUM})?[ -](?:(?:full|complimentary|free|consecutive|additional"
    rf"|other|different|official)\s)?(?P<noun>{_NOUN})\b)"
    r"|(?P<year>\b(?:19|20)\d{2}\b)"
)
_PRONOUN = re.compile(
    r"(?i)^(?:it|this|that|these|those|they|he|she|we|there|here|such|so|then|thus|however|but|and|or|if|when|what|which"
    r"|who|how|one|another|both|each of|as|for example|in this|in that|the latter|the former|its|their|his|her)\b"
)
_CONNECTIVE = re.compile(
    r"^(?:However|Therefore|Moreover|Furthermore|In addition|Additionally|Also|For example|For instance|Note that"
    r"|Please note(?: that)?|As a result|In general|Generally|Usually|Finally|Similarly|Likewise|Thus|Hence|Nevertheless"
    r"|In practice|In fact|Of course|Indeed)[,:]?\s+"
)
_VERB = (
    "is|are|was|were|has|have|had|can|cannot|lowers?|raises|keeps?|follows?|moves?|counts?|doubles?|returns?|becomes?"
    "|shows|sends?|arrive|must|may|will|should|shall|does|do|did|starts?|begins?|ends?|opens?|closes?|costs?|includes?"
    "|requires?|"
    "charges?|takes?|offers?|provides?|lasts|runs?|applies|apply|earns?|receives?|expires?|covers?|contains?|holds?|pays?"
    "|needs?|gets?|allows?|sleeps?|seats?|measures?|"
    "operates?|serves?|features?|comes?|uses?|became|began|started|started|expects?|arrives?|departs?|depends?|makes?|supports?|stays?"
)
_CLAUSE = re.compile(rf"^(?P<s>(?:(?!\b(?:{_VERB})\b)[^,;:.!?])+?)\s+(?P<v>{_VERB})\b(?P<rest>.*)$")
_DEFINITION = re.compile(
    r"^(?P<s>(?:The |An? )?[A-Za-z0-9][\w’'./+-]*(?: [\w’'./+-]+){0,5}?)(?: \([^)]*\))? "
    r"(?P<v>is defined as|refers to|stands for|means(?! that)|is (?=an? |the |one of )|are (?=the |a ))\s*(?P<d>.{15,})$"
)
_RULE = re.compile(
    rf"^(?P<s>(?:(?!\b(?:{_VERB}|to|that|which|who|where)\b)[^,;:.!?])+?) (?P<m>must not|must|should not|should|may not"
    rf"|cannot|can|may|need to|are required to|is required to) (?P<d>(?!be$)\w.+)$"
)
_BAD_SUBJECT = re.compile(
    r"(?i)^(?:without|with|in|on|at|for|from|by|after|before|during|within|between|under|as|of|only|not|except|until|about"
    r"|instead|apart|despite|where|then)\b|\b(?:of which|that|which|who|because|although|while|when|if|since|where|unlike"
    r"|once|to|its|their|his|her|this|these|those|our)\b"
)
_NAMES_INSIDE = re.compile(r"^(?:[A-Z][a-z]*[A-Z]|[A-Z]{2,}|\w+['’]s\b)")
_COMMON_START = re.compile(
    r"^(?:The|A|An|All|Every|Each|Any|Guests?|Rooms?|Children|Members?|Breakfast|Check-in|Check-out|Pets?|Cancellations?"
    r"|Bookings?|Reservations?|Payments?|Refunds?|Parking|Late|Early|Extra|Free|Users?|Customers?|Staff|Most|Some|Many|Both"
    r"|No|Your|Our|Points|Deposits?|Smoking)\b"
)
_RULE_QUESTIONS = {
    "need to": "What do {subject} need to do",
    "are required to": "What are {subject} required to do",
    "is required to": "What is {subject} required to do",
    "may not": "What may {subject} not do",
    "must not": "What must {subject} not do",
    "should not": "What should {subject} not do",
    "cannot": "What can {subject} not do",
}
_IMPERATIVE = re.compile(
    r"^(?:Please|Upload|Name|Open|Click|Choose|Enter|Select|Go|Tap|Pay|Fill|Submit|Sign|Press|Type|Run|Install|Download"
    r"|Insert|Connect|Visit|Find|Add|Set"
    r"|Create|Confirm|Review|Send|Show|Scan|Call|Start|Boot|Pick|Present|Hand|Return|Wait|Keep|Take|Read|Write|Contact|Do"
    r"|Let|Use|Make|See|Allow|Expect)\b"
)
_DURATION = (
    "days",
    "day",
    "hours",
    "hour",
    "minutes",
    "minute",
    "weeks",
    "week",
    "months",
    "month",
    "years",
    "year",
    "nights",
    "night",
    "seconds",
)


def find_in_english(sentence: str, span: Span) -> Iterator[Fact]:
    """Yield the facts of one sentence; ``sentence`` is document text, ``span`` its offsets."""
    full = plain(sentence)
    core = _CONNECTIVE.sub("", full)
    core = core[:1].upper() + core[1:]
    n_words = len(core.split())
    full = re.sub(r";$", ".", full)
    if not 5 <= n_words <= 45 or not core[:1].isalnum() or _PRONOUN.match(core) or core.endswith(("?", ":")) or _unbalanced(core):
        return
    body = core.rstrip(".!; ")
    definition = _DEFINITION.match(body)
    if definition and not _BAD_SUBJECT.search(definition.group("s")) and not re.search(rf"(?i)\b(?:{_VERB})\b", definition.group("s")):
        verb = definition.group("v").strip()
        subject = _lower_first(definition.group("s"))
        short = definition.group("d").strip()
        form = {"refers to": "term", "stands for": "term", "means": "term", "is defined as": "term", "are": "definition_plural"}.get(
            verb, "definition"
        )
        yield Fact("definition", span, (span,), full, f"{short[:1].upper()}{short[1:]}.", {"subject": subject}, form, definition.group("s"))
    yield from _numbers(body, full, span)
    rule = _RULE.match(body) if not _IMPERATIVE.match(body) else None
    if (
        rule
        and len(rule.group("s").split()) <= 7
        and not _PRONOUN.match(rule.group("s"))
        and not _BAD_SUBJECT.search(rule.group("s"))
        and not re.match(r"(?i)be\b|not\b|also\b|only\b|either\b|both\b|even\b", rule.group("d"))
    ):
        verb = rule.group("m")
        subject = _lower_first(rule.group("s"))
        ask = _RULE_QUESTIONS.get(verb, f"What {verb} {{subject}} do").replace("{subject}", subject)
        if verb != "need to" or re.search(r"s$|people|children|(?i:^you)", subject):
            answer = rule.group("d").strip()
            yield Fact("rule", span, (span,), full, f"{answer[:1].upper()}{answer[1:]}.", {"in_place": ask, "subject": subject})


def split_clause(body: str) -> tuple[str, str] | None:
    """Split a sentence into its subject, at most 7 words and no pronoun, and the rest from the verb on."""
    clause = _CLAUSE.match(body)
    if not clause or _PRONOUN.match(body) or _IMPERATIVE.match(body) or _CONNECTIVE.match(body) or _unbalanced(body):
        return None
    subject = clause.group("s").strip()
    if len(subject.split()) > 7 or _BAD_SUBJECT.search(subject) or not subject[0].isupper() or subject.endswith(("ly", " not")):
        return None
    return _lower_first(subject), f"{clause.group('v')}{clause.group('rest')}"


def _numbers(body: str, full: str, span: Span) -> Iterator[Fact]:
    n = 0
    for match in _VALUE.finditer(body):
        group = next(name for name in ("clocks", "clock", "date", "percent", "money", "count", "year") if match.group(name))
        before, after = body[: match.start()], body[match.end() :]
        if group == "year" and not re.search(r"\b(?:in|since|until|by|from)\s$", before):
            continue
        n += 1
        if n > 3:
            return
        kind = "date" if group in ("date", "year") else "number"
        cue = _cue(body, match.start(), match.end())
        if not cue:
            continue
        asked = _ask(body, group, match)
        slots = {"cue": cue, "in_place": asked, "blank": _blank(before, after)}
        yield Fact(kind, span, (span,), full, match.group().strip(), slots, f"{kind}_asked" if asked else f"{kind}_blank")


def _ask(body: str, group: str, match: "re.Match[str]") -> str:
    """Return a grammatical question for the few patterns where inversion is safe, else ''."""
    clause = _CLAUSE.match(body)
    if (
        not clause
        or _IMPERATIVE.match(body)
        or len(clause.group("s").split()) > 8
        or _BAD_SUBJECT.search(clause.group("s"))
        or match.start() < clause.start("rest")
    ):
        return ""
    subject, verb = _lower_first(clause.group("s").strip()), clause.group("v")
    between = body[clause.start("rest") : match.start()].strip()
    third = verb.endswith("s") and verb not in ("is", "was", "has", "does")
    base = {"has": "have", "applies": "apply"}.get(verb, verb[:-1] if third else verb)
    helper = "does" if third or verb == "has" else "do"
    noun = match.group("noun") if group == "count" else ""
    if verb in ("is", "are", "was", "were"):
        if between == "" and group == "money":
            return f"How much {verb} {subject}"
        if group in ("clock", "clocks", "date", "year") and re.fullmatch(
            r"(?:\w+ed |\w+en |open |closed |available )?(?:at|from|on|in|by|between|until|before|after)", between
        ):
            word = between.rsplit(" ", 1)[0] if " " in between else ""
            preposition = between.rsplit(" ", 1)[-1]
            lead = {"until": "Until when", "by": "By when", "before": "Before what time", "after": "After what time"}.get(
                preposition, "When"
            )
            return f"{lead} {verb} {subject} {word}".strip()
        if between == "" and noun in _DURATION and verb in ("is", "are"):
            return f"How long {verb} {subject}"
        return ""
    if verb in ("costs", "cost") and between == "" and group == "money":
        return f"How much {helper} {subject} cost"
    if (
        group in ("clock", "clocks")
        and between in ("at", "from", "between")
        and base in ("start", "begin", "end", "open", "close", "run", "operate")
    ):
        return f"What time {helper} {subject} {base}" if group == "clock" else f"When {helper} {subject} {base}"
    if (
        verb in ("has", "have", "offers", "contains", "includes", "provides", "features", "sleeps", "seats", "requires")
        and between in ("", "about", "over", "up to", "at least")
        and noun
        and " to " not in match.group()
    ):
        return f"How many {noun if noun.endswith('s') or noun == 'people' else noun + 's'} {helper} {subject} {base}"
    if verb in ("takes", "take", "lasts", "last") and between in ("", "up to", "about", "at least", "at most") and noun in _DURATION:
        return f"How long {helper} {subject} {base}"
    return ""


def _blank(before: str, after: str) -> str:
    """Return the sentence with the value left out, cut at clause marks when it is long."""
    left = before if len(before.split()) <= 16 else f"… {' '.join(before.split()[-14:])} "
    right = after if len(after.split()) <= 14 else " ".join(after.split()[:12]) + " …"
    gap = " " if right and right[0].isalnum() else ""
    return f"{left}____{gap}{right}".strip()


def _cue(body: str, start: int, end: int) -> str:
    """Return what the sentence is about without the value: its subject, else the longest stretch free of numbers; '' if none."""
    clause = _CLAUSE.match(body)
    if (
        clause
        and not _IMPERATIVE.match(body)
        and clause.end("s") <= start
        and 1 <= len(clause.group("s").split()) <= 9
        and not _BAD_SUBJECT.search(clause.group("s"))
        and not re.search(r"\d", clause.group("s"))
    ):
        return _lower_first(clause.group("s").strip())
    pieces = [p.strip() for p in re.split(r"[,;:]", f"{body[:start]};{body[end:]}")]
    pieces = [p for p in pieces if 3 <= len(p.split()) <= 14 and not re.search(r"\d", p) and not _PRONOUN.match(p) and not _unbalanced(p)]
    return f"'{max(pieces, key=len)}'" if pieces else ""


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:] if _COMMON_START.match(text) and not _NAMES_INSIDE.match(text) else text


def _unbalanced(text: str) -> bool:
    return text.count("(") != text.count(")") or text.count('"') % 2 == 1 or text.count("“") != text.count("”") or len(units(text)) < 4
