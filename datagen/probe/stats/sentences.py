"""Verdicts and training states in plain words, Chinese and English."""

from math import exp
from typing import TYPE_CHECKING, Literal

from datagen.probe.result import Decision, Sentence

if TYPE_CHECKING:
    from datagen.probe.stats.estimate import Estimate
    from datagen.probe.stats.verdict import Settle


def verdict_sentence(
    decision: Decision,
    value: "Estimate",
    *,
    half: float,
    delta: float,
    baseline: float,
    new: float,
    untrained: bool,
    settle: "Settle | None",
) -> Sentence:
    """Say what a comparison found, with its figures; losses in nats per completion token. ``untrained``: the baseline is the base model."""
    low, high = value.delta - half, value.delta + half
    figures_en = f"loss {baseline:.3f} -> {new:.3f}, difference {value.delta:+.3f} nats per token, interval [{low:+.3f}, {high:+.3f}]"
    figures_zh = f"损失 {baseline:.3f} → {new:.3f}，每个词元相差 {value.delta:+.3f} nats，区间 [{low:+.3f}, {high:+.3f}]"
    ratio = exp(abs(value.delta))
    good_zh, good_en = ("用这份数据训练有效", "Training on this data helps") if untrained else ("新数据更好", "The new data is better")
    bad_zh, bad_en = ("用这份数据训练有害", "Training on this data hurts") if untrained else ("新数据更差", "The new data is worse")
    same_zh, same_en = ("训练前后", "Training changed nothing") if untrained else ("两份数据", "No difference")
    match decision:
        case "BETTER":
            return Sentence(
                zh=f"{good_zh}：模型给正确答案每个词元的概率平均提高到 {ratio:.2f} 倍（{figures_zh}）。",
                en=f"{good_en}: right answers became {ratio:.2f} times as likely per token ({figures_en}).",
            )
        case "WORSE":
            return Sentence(
                zh=f"{bad_zh}：模型给正确答案每个词元的概率平均降到 1/{ratio:.2f}（{figures_zh}）。",
                en=f"{bad_en}: right answers became {ratio:.2f} times less likely per token ({figures_en}).",
            )
        case "EQUIVALENT":
            return Sentence(
                zh=f"{same_zh}效果相同：差异小于 {delta:g}（{figures_zh}）。",
                en=f"{same_en} that matters: the difference is smaller than {delta:g} ({figures_en}).",
            )
        case "INCONCLUSIVE":
            zh, en = _settling(settle, needed=value.seeds < 2 or value.documents < 2)
            return Sentence(zh=f"还看不出差异（{figures_zh}）。{zh}", en=f"No detectable difference ({figures_en}). {en}")


def state_sentence(state: Literal["overfitting", "converged", "underfitting"], best_step: int, last_step: int) -> Sentence:
    """Say what the training curve shows and what to do."""
    match state:
        case "overfitting":
            return Sentence(
                zh=f"过拟合：训练损失下降而验证损失上升，应在第 {best_step} 步（共 {last_step} 步）停止。",
                en=f"Overfitting: train loss falls while eval loss rises; stop at step {best_step} of {last_step}.",
            )
        case "converged":
            return Sentence(zh="已收敛：验证损失不再明显下降。", en="Converged: eval loss no longer falls noticeably.")
        case "underfitting":
            return Sentence(
                zh="欠拟合：结束时验证损失仍在明显下降，可增加训练轮数。",
                en="Underfitting: eval loss was still falling at the end; more epochs may help.",
            )


def _settling(settle: "Settle | None", *, needed: bool) -> tuple[str, str]:
    """Say what would settle it; ``needed``: all of it, before any verdict can be given."""
    options_zh: list[str] = []
    options_en: list[str] = []
    if settle and settle.seeds:
        options_zh.append(f"约 {settle.seeds} 个随机种子")
        options_en.append(f"about {settle.seeds} seeds")
    if settle and settle.documents:
        options_zh.append(f"约 {settle.documents} 份文档的评测题")
        options_en.append(f"eval questions over about {settle.documents} documents")
    if not options_zh:
        return (
            "仅靠增加种子或文档难以定论，需要更多数据或更多评测题。",
            "Neither more seeds nor more documents alone would settle it: grow the data.",
        )
    english = (" and " if needed else ", or ").join(options_en)
    end = "would allow a verdict." if needed else "would settle it."
    return f"要得到结论，需要{('，以及' if needed else '，或').join(options_zh)}。", f"{english[0].upper()}{english[1:]} {end}"
