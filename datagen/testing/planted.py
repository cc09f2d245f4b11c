"""Rows with known defects: clean rows written by rules from the example's documents, some of them spoilt in one known way."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from datagen.generate.quantities import quantities
from datagen.schemas.record import completion_text, prompt_text, question_answer
from datagen.schemas.sample import Provenance, Sample

CODES: dict[str, frozenset[str]] = {
    "pii": frozenset(("pii_email", "pii_phone", "pii_id_number", "pii_bank_card")),
    "mojibake": frozenset(("mojibake",)),
    "repetition": frozenset(("repetition",)),
    "copied": frozenset(("answer_copied_from_question",)),
    "wrong_number": frozenset(("unsupported_number",)),
    "off_topic": frozenset(("off_topic",)),
}
"""What finds each kind of plant."""

OFF_TOPIC = {
    "zh": [
        ("红烧肉怎么做才不腻？", "先把五花肉焯水，再小火煸出油脂，加冰糖炒糖色，最后用黄酒焖煮四十分钟。"),
        ("光合作用需要哪些条件？", "植物在叶绿体中利用阳光，把二氧化碳和水合成葡萄糖，同时放出氧气。"),
        ("唐朝为什么由盛转衰？", "安史之乱使藩镇割据，中央财政枯竭，宦官专权又加深了朝廷内部的矛盾。"),
        ("怎样给吉他调弦？", "从最粗的六弦开始，依次调成E、A、D、G、B、E，可借助电子调音器核对音高。"),
        ("什么是牛顿第二定律？", "物体的加速度与所受合外力成正比，与质量成反比，方向与合力方向一致。"),
        ("如何训练一只小狗坐下？", "把零食举过它的头顶，等它自然坐下时立即奖励，并重复口令直到形成习惯。"),
        ("火山是怎么喷发的？", "地幔里的岩浆因气体膨胀而上升，冲破地壳薄弱处，熔岩与火山灰随之涌出。"),
        ("写一首关于秋天的短诗", "落叶铺满旧石阶，雁声渐远过南山，一壶清茶对斜阳，风起处稻香满田。"),
        ("量子纠缠是什么意思？", "两个粒子的状态彼此关联，测量其中一个会瞬间确定另一个，无论相隔多远。"),
        ("马拉松赛前吃什么好？", "以碳水化合物为主，如米饭、面条和香蕉，避免高脂肪与粗纤维的食物。"),
    ],
    "en": [
        (
            "How do I bake sourdough bread?",
            "Feed the starter overnight, knead flour, water and salt, let the dough ferment, then bake it in a hot Dutch oven.",
        ),
        (
            "What causes a solar eclipse?",
            "The moon passes between the sun and the earth, and its shadow sweeps across a narrow band of the planet.",
        ),
        (
            "Who painted the Mona Lisa?",
            "Leonardo da Vinci painted it in Florence, and the portrait now hangs in the Louvre behind bulletproof glass.",
        ),
        (
            "Explain how vaccines work",
            "A vaccine shows the immune system a harmless piece of a virus, so that antibodies and memory cells develop early.",
        ),
        (
            "How do I prune tomato plants?",
            "Pinch out the suckers between stem and branch, remove yellow leaves near the soil, and tie the vine to a stake.",
        ),
        (
            "What is recursion in programming?",
            "A function that calls itself on a smaller input until a base case stops it; factorials and tree walks are examples.",
        ),
        (
            "Why do leaves turn red in autumn?",
            "Chlorophyll breaks down as daylight shortens, while anthocyanin pigments form from sugars trapped in the leaf.",
        ),
        (
            "How does a violin make sound?",
            "The bow makes strings vibrate, the bridge carries the motion to the wooden body, and the body amplifies it.",
        ),
        (
            "What did Darwin see on the Galapagos?",
            "He noticed finches whose beaks differed from island to island, each suited to seeds, insects or cactus flowers.",
        ),
        (
            "Give me tips for learning chess openings",
            "Study a few main lines, understand pawn structures and typical plans, and replay games of strong grandmasters.",
        ),
    ],
}  # fmt: skip
_PEOPLE = (
    ("zhang.weiming{}@163.com", "联系人邮箱是{}。", " Write to {} for this."),
    ("1380{:03d}6621", "请拨打经办人手机{}。", " Call the clerk at {}."),
    ("11010519491231002X", "经办人身份证号为{}。", " The clerk's identity number is {}."),
    ("4111 1111 1111 1111", "退款卡号是{}。", " The refund goes to card {}."),
)


@dataclass(frozen=True, slots=True)
class Planted:
    """A set with plants: ``kind_of`` names the plant of each spoilt row."""

    samples: list[Sample]
    kind_of: dict[int, str]


def plant(clean: list[Sample], *, per_kind: int, seed: int, keep_provenance: bool) -> Planted:
    """Spoil ``per_kind`` rows of each kind and language; all other rows stay as they are."""
    rng = random.Random(seed)
    samples = [s if keep_provenance else Sample.of(s.record, tags=s.tags) for s in clean]
    kind_of: dict[int, str] = {}
    for language in ("zh", "en"):
        free = [i for i in range(len(samples)) if samples[i].tags.get("language") == language]
        rng.shuffle(free)
        for kind, spoil in _SPOIL.items():
            done = 0
            for i in tuple(free):
                if done == per_kind:
                    break
                spoilt = spoil(samples[i], language, rng)
                if spoilt is not None:
                    samples[i], kind_of[i] = spoilt, kind
                    free.remove(i)
                    done += 1
        for question, answer in OFF_TOPIC[language][:per_kind]:
            kind_of[len(samples)] = "off_topic"
            samples.append(Sample.of(question_answer(question, answer), tags={"language": language}))
    return Planted(samples, kind_of)


def _with_answer(sample: Sample, answer: str) -> Sample:
    made = Sample.of(question_answer(prompt_text(sample.record), answer), provenance=sample.provenance, tags=sample.tags)
    return made if sample.provenance != Provenance() else made.model_copy(update={"provenance": Provenance()})


def _pii(sample: Sample, language: str, rng: random.Random) -> Sample:
    form, zh, en = _PEOPLE[rng.randrange(len(_PEOPLE))]
    value = form.format(rng.randrange(10, 999))
    return _with_answer(sample, completion_text(sample.record) + (zh if language == "zh" else en).format(value))


def _mojibake(sample: Sample, language: str, rng: random.Random) -> Sample:
    answer = completion_text(sample.record)
    if language == "en":
        return _with_answer(sample, f"The guest’s answer: {answer} – that’s all.".encode().decode("cp1252", "ignore"))
    wrong = rng.choice(("latin-1", "gb18030"))
    return _with_answer(sample, answer.encode().decode(wrong, "ignore"))


def _repetition(sample: Sample, language: str, rng: random.Random) -> Sample | None:
    answer = completion_text(sample.record)
    return _with_answer(sample, answer + answer * rng.randrange(3, 7)) if len(answer.encode()) > 24 else None


def _copied(sample: Sample, language: str, rng: random.Random) -> Sample | None:
    question = prompt_text(sample.record).strip("?？ ")
    return (
        _with_answer(sample, question + rng.choice(("。", "", "？") if language == "zh" else (".", "", "?"))) if len(question) > 8 else None
    )


def _wrong_number(sample: Sample, language: str, rng: random.Random) -> Sample | None:
    """Change one figure to one that no document holds."""
    answer = completion_text(sample.record)
    found = list(re.finditer(r"(?<![\d.:：年月/-])\d{1,4}(?![\d.:：]|\s*[年月日点时号])", answer))
    if not found or not quantities(answer):
        return None
    match = rng.choice(found)
    wrong = str(int(match.group(0)) * 7 + rng.randrange(1000, 4000))
    return _with_answer(sample, answer[: match.start()] + wrong + answer[match.end() :])


_SPOIL: dict[str, Callable[[Sample, str, random.Random], Sample | None]] = {
    "pii": _pii,
    "mojibake": _mojibake,
    "repetition": _repetition,
    "copied": _copied,
    "wrong_number": _wrong_number,
}
