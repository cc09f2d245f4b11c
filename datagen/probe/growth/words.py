"""What curves, sweeps, slices and retrieval say, in plain words, Chinese and English."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from datagen.probe.result import Decision, Sentence, Verdict

if TYPE_CHECKING:
    from datagen.probe.growth.curve import Advice, Gain
    from datagen.probe.growth.retrieval import Contrast
    from datagen.probe.growth.slices import SliceEffect
    from datagen.probe.growth.sweep import Cell


def curve_sentence(
    advice: "Advice", *, total: int, gain: "Gain", delta: float, needed: int | None, last_verdict: Decision | None
) -> Sentence:
    """Say whether to go on, with the forecast (nats per token)."""
    band = f"[{gain.low:.3f}, {gain.high:.3f}]"
    figures_en = f"doubling {total} rows is expected to lower the loss by {gain.expected:.3f} nats per token, 90 % band {band}"
    figures_zh = f"数据从 {total} 行翻倍，预计每个词元的损失下降 {gain.expected:.3f} nats，90 % 区间 {band}"
    match advice:
        case "CONTINUE":
            return Sentence(
                zh=f"继续扩充：{figures_zh}；增加到 {needed} 行就足以带来 {delta:g} 的改进。",
                en=f"Continue: {figures_en}; {needed} rows are enough for a gain of {delta:g}.",
            )
        case "STOP":
            return Sentence(
                zh=f"停止：{figures_zh}，低于 {delta:g}，而且上一次迭代已经没有差异。",
                en=f"Stop: {figures_en}, less than {delta:g}, and the last iteration made no difference.",
            )
        case "INCONCLUSIVE":
            if gain.high < delta:
                last = last_verdict or "–"
                return Sentence(
                    zh=f"预计收益已很小：{figures_zh}；上一次迭代的结论是 {last}，若为 EQUIVALENT 即可停止。",
                    en=f"Little is left to gain: {figures_en}; the last verdict is {last}, with EQUIVALENT this would be STOP.",
                )
            return Sentence(
                zh=f"尚不能断定：{figures_zh}，区间包含 {delta:g}；可在较小规模上增加随机种子，或先小幅扩充再测。",
                en=f"Undecided: {figures_en}, which contains {delta:g}; run more seeds, or grow a little and measure again.",
            )


def sweep_sentence(choice: "Cell", best: "Cell") -> Sentence:
    """Name the cheapest setting that is not visibly worse than the best."""
    if choice == best:
        return Sentence(
            zh=f"选用 targets={best.targets}、rank={best.rank}：损失最低（{best.loss:.3f} nats/词元），更小的设置都明显更差。",
            en=f"Take targets {best.targets}, rank {best.rank}: the lowest loss ({best.loss:.3f} nats per token); "
            "every smaller setting is visibly worse.",
        )
    interval = f"[{choice.difference_low:+.3f}, {choice.difference_high:+.3f}]"
    return Sentence(
        zh=f"选用 targets={choice.targets}、rank={choice.rank}（{choice.parameters:,} 个可训练参数）："
        f"与最好的 targets={best.targets}、rank={best.rank} 相差 {choice.difference:+.3f} nats/词元 {interval}，没有可见的差别。",
        en=f"Take targets {choice.targets}, rank {choice.rank} ({choice.parameters:,} trainable parameters): "
        f"{choice.difference:+.3f} nats per token {interval} from the best (targets {best.targets}, rank {best.rank}), not visibly worse.",
    )


def retrieval_sentence(contrasts: "Mapping[tuple[str, str], Contrast]") -> Sentence:
    """Answer "fine-tune or retrieve?" from the contrasts of the loss on all completion tokens."""
    direct = contrasts["base + retrieved", "tuned"]
    over_tuned, over_retrieved = contrasts["tuned", "tuned + retrieved"], contrasts["base + retrieved", "tuned + retrieved"]
    figures = f"{direct.difference:+.3f} [{direct.low:+.3f}, {direct.high:+.3f}]"
    if over_tuned.verdict == "BETTER" and over_retrieved.verdict == "BETTER":
        alone, without = f"{-over_tuned.difference:.3f}", f"{-over_retrieved.difference:.3f}"
        return Sentence(
            zh=f"两者都要：微调后再加检索，比只微调低 {alone}，比只检索低 {without} nats/词元。",
            en=f"Both: tuned with retrieval is {alone} nats per token below tuning alone, and {without} below retrieval alone.",
        )
    if direct.verdict == "BETTER":
        return Sentence(
            zh=f"微调：比检索更好（{figures} nats/词元），再加检索没有可见的好处。",
            en=f"Fine-tune: better than retrieval ({figures} nats per token), and retrieval on top adds nothing visible.",
        )
    if direct.verdict == "WORSE":
        return Sentence(
            zh=f"检索：比微调更好（微调 − 检索 = {figures} nats/词元），在它之上微调没有可见的好处。",
            en=f"Retrieve: better than fine-tuning (tuned - retrieved = {figures} nats per token), and tuning on top adds nothing visible.",
        )
    return Sentence(
        zh=f"看不出微调与检索的高下（{figures} nats/词元）。",
        en=f"No visible difference between fine-tuning and retrieval ({figures} nats per token).",
    )


def slices_sentence(top: "SliceEffect", verdict: Verdict | None) -> Sentence:
    """Name the slice whose rows bring most, and what the confirming comparison said of it."""
    interval = f"[{top.low:+.3f}, {top.high:+.3f}]"
    zh = f"每百行收益最大的是「{top.name}」（{top.rows} 行）：有它时每个词元的损失 {top.effect:+.3f} nats，90 % 区间 {interval}"
    en = f"Most for its rows: '{top.name}' ({top.rows} rows), {top.effect:+.3f} nats per token with it, 90 % interval {interval}"
    if verdict is None:
        return Sentence(zh=f"{zh}；未做确认实验。", en=f"{en}; not confirmed by a comparison of its own.")
    figures = f"{verdict.delta:+.3f} [{verdict.low:+.3f}, {verdict.high:+.3f}]"
    return Sentence(
        zh=f"{zh}；确认实验（全部数据对比去掉它）：{verdict.verdict} {figures}。",
        en=f"{en}; confirmed against all rows without it: {verdict.verdict} {figures}.",
    )
