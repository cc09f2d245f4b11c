"""When a campaign accepts an iteration, and when it goes on, stops, or asks for a person's look. Pure functions of manifests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from datagen.schemas.document import Language
from datagen.schemas.manifest import Manifest

Action = Literal["continue", "stop", "ask"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user set: a loss (nats per answer token) that is good enough, money (the price list's currency), delta in nats per token."""

    target: float | None = None
    budget: float | None = None
    delta: float = 0.01


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next. ``code`` is stable: ``target_reached``, ``worse``, ``mixed``, ``vault_disagrees``, ``plateau``,
    ``undecided``, ``documents_exhausted``, ``budget_spent``, ``sizes_done``, ``grow``."""

    action: Action
    code: str
    zh: str
    en: str

    def sentence(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


def accepted(manifest: Manifest) -> bool:
    """Say whether an iteration becomes the incumbent: BETTER on the primary set, WORSE on none, and better than mere longer training.

    ``manifest.control``, where it was run, compares it with the incumbent's rows trained for as many steps.
    """
    verdict = manifest.verdict()
    if verdict is None or verdict["verdict"] != "BETTER" or any(v["verdict"] == "WORSE" for v in manifest.verdicts):
        return False
    return outcome(manifest) == "BETTER"


def outcome(manifest: Manifest) -> str:
    """Return the verdict that counts for growth: the control's where there is one and it is not BETTER, else the primary one."""
    verdict = manifest.verdict()
    if verdict is None:
        return "INCONCLUSIVE"
    if verdict["verdict"] == "BETTER" and manifest.control is not None and manifest.control["verdict"] != "BETTER":
        return "EQUIVALENT" if manifest.control["verdict"] in ("EQUIVALENT", "WORSE") else "INCONCLUSIVE"
    return str(verdict["verdict"])


def decide(done: Sequence[Manifest], *, remaining: Sequence[int], limits: Limits, next_cost: float = 0.0) -> Decision:
    """Decide after the iterations ``done`` (this campaign's, oldest first; at least one).

    Order of the rules: target, harm, plateau (EQUIVALENT twice running), undecided (INCONCLUSIVE twice running), no more rows in the
    documents, budget, no size left.
    """
    last = done[-1]
    verdict = last.verdict()
    loss = float(verdict["new_loss"]) if verdict else None
    results = [outcome(m) for m in done]
    if limits.target is not None and loss is not None and loss <= limits.target and accepted(last):
        return Decision(
            "stop",
            "target_reached",
            f"已达到目标：v{last.number} 的损失 {loss:.3f} ≤ {limits.target:.3f}。用它做完整训练。",
            f"Target reached: v{last.number} has loss {loss:.3f} <= {limits.target:.3f}. Train on it in full.",
        )
    if results[-1] == "WORSE":
        return Decision(
            "ask",
            "worse",
            f"v{last.number} 比现任版本差：先人工查看新增的行，再决定是否继续。",
            f"v{last.number} is worse than the incumbent: look at the added rows by hand before going on.",
        )
    harmed = [str(v["eval_set"]) for v in last.verdicts if v["verdict"] == "WORSE"]
    if harmed:
        names = ", ".join(harmed)
        return Decision(
            "ask",
            "mixed",
            f"v{last.number} 在主考题上的结论是 {results[-1]}，但在 {names} 上变差：请人工比较答案。",
            f"v{last.number} is {results[-1]} on {last.primary} but worse on {names}: compare the answers by hand.",
        )
    if last.vault is not None and last.vault["verdict"] == "WORSE":
        return Decision(
            "ask",
            "vault_disagrees",
            f"v{last.number} 在考题上更好，但在保密题（vault）上变差：可能只适应了考题，请人工比较答案。",
            f"v{last.number} is better on the exam but worse on the vault: it may fit the exam only; compare the answers by hand.",
        )
    if results[-2:] == ["EQUIVALENT", "EQUIVALENT"]:
        return Decision(
            "stop",
            "plateau",
            "连续两次没有可测的提升：同类数据再多也没有用。停在现任版本，或换未覆盖的主题（datagen next）。",
            "Twice running no gain that matters: more of the same will not help. Keep the incumbent, or cover new ground (datagen next).",
        )
    if results[-2:] == ["INCONCLUSIVE", "INCONCLUSIVE"]:
        return Decision(
            "ask",
            "undecided",
            "连续两次看不出差别：增加种子或考题（见结论行），或人工看答案。",
            "Twice running no difference could be shown: add seeds or exam questions (see the verdict line), or look at answers by hand.",
        )
    rows = last.datasets["train"].rows if "train" in last.datasets else last.size
    if rows < last.size and remaining:
        return Decision(
            "stop",
            "documents_exhausted",
            f"文档里只能得到 {rows} 行（想要 {last.size} 行）：增加文档或换生成策略后再扩充。",
            f"The documents gave {rows} rows of {last.size} wanted: add documents or strategies before growing further.",
        )
    if not remaining:
        return Decision("stop", "sizes_done", "计划的规模都已完成。", "All planned sizes are done.")
    spent = sum(m.cost for m in done)
    if limits.budget is not None and spent + next_cost > limits.budget:
        return Decision(
            "stop",
            "budget_spent",
            f"已花 {spent:.2f}，下一步约需 {next_cost:.2f}，会超出预算 {limits.budget:.2f}。",
            f"{spent:.2f} spent; the next step needs about {next_cost:.2f}, more than the budget of {limits.budget:.2f} allows.",
        )
    return Decision(
        "continue",
        "grow",
        f"v{last.number} 的结论是 {results[-1]}：继续扩充到 {remaining[0]} 行。",
        f"v{last.number} is {results[-1]}: grow to {remaining[0]} rows.",
    )
