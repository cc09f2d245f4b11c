"""One sentence of advice from an iteration's figures, in the user's language."""

from datagen.schemas.document import Language
from datagen.schemas.manifest import Manifest


def advise(manifest: Manifest, parent: Manifest | None, language: Language) -> str:
    """Return what to do next, by the verdict on the primary eval set. Pure; one sentence, sometimes with a reservation."""
    verdict = manifest.verdict()
    zh = language == "zh"
    if verdict is None:
        return "没有运行探针，因此无法判断数据是否有效。" if zh else "The probe was not run, so nothing can be said about the data's worth."
    gain = -float(verdict["delta"])
    against = f"v{parent.number}" if parent else ("未训练的基座模型" if zh else "the untrained base model")
    rows = manifest.datasets["train"].rows if "train" in manifest.datasets else manifest.size
    match verdict["verdict"]:
        case "BETTER":
            if zh:
                return (
                    f"{rows} 行数据优于{against}（每个答案 token 少 {gain:.3f} nats）："
                    "值得继续扩充，按同样方式做下一个规模，并人工看几条答案。"
                )
            return (
                f"These {rows} rows beat {against} by {gain:.3f} nats per answer token: growing is still worth it; "
                "make the next size the same way and read some answers by hand."
            )
        case "WORSE":
            if zh:
                return f"{rows} 行数据比{against}差：不要采用，先看新增行里被误导的部分，再重新生成。"
            return f"These {rows} rows are worse than {against}: do not adopt them; look at the added rows first."
        case "EQUIVALENT":
            if zh:
                return f"{rows} 行与{against}效果相当：再加同类数据不会有帮助，换未覆盖的主题，或停下来做完整训练。"
            return (
                f"These {rows} rows do as well as {against}, no better: more of the same will not help; "
                "cover other topics, or stop here and train in full."
            )
        case _:
            if zh:
                return f"还看不出 {rows} 行与{against}的差别：按结论行所说增加种子、考题或文档后再下结论。"
            return f"No detectable difference yet between these {rows} rows and {against}: see the verdict line for what would settle it."
