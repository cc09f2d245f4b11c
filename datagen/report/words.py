"""The page's words in Chinese and English. A key missing in one language is an error a test finds."""

from datagen.schemas.document import Language

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "title": "Iteration {number}: {rows} rows",
        "advice": "What to do",
        "verdict": "Verdict",
        "against_base": "against the untrained base model",
        "against_parent": "against iteration {parent}",
        "funnel": "Funnel",
        "stage": "stage", "entered": "entered", "kept": "kept", "dropped": "dropped, by reason", "seconds": "s",
        "lengths": "Lengths", "question_tokens": "question, estimated tokens", "answer_tokens": "answer, estimated tokens",
        "topics": "Rows by document", "types": "Rows by question type", "languages": "Languages",
        "curves": "Learning curves", "step": "optimizer step", "nll": "loss, nats per answer token",
        "intervals": "Delta with interval; left of 0: the new data is better", "delta_axis": "Delta, nats per answer token",
        "answers": "Answers before and after", "question": "question", "reference": "reference", "before": "before", "after": "after",
        "sample_kept": "Rows kept (a fixed random choice)", "sample_dropped": "Rows and files dropped, with reasons",
        "answer": "answer", "document": "document", "evidence": "evidence", "reason": "reason",
        "iterations": "Iterations", "rows": "rows", "command": "Full training run in LLaMA-Factory",
        "exam": "Exam: {recall} questions on documents trained on (recall), {unseen} on documents held out (unseen), "
        "{gold} written by people (gold).",
        "limits": "What this cannot say: loss on a small model is not answer quality; read the answers. "
        "Questions written by the generator reward its style; look at gold where there is one. "
        "At equal epochs the larger set is also trained for more steps.",
        "by_size": "Loss by size; bars: interval of the difference to what it was compared with", "coverage": "passages covered",
        "slices": "By language and by folder of documents (Holm over each)", "slice": "slice",
        "questions": "questions", "documents": "documents",
        "control": "trained for as many steps", "vault": "vault (opened on acceptance)",
        "cost": "money spent on generation", "gain": "gain over the untrained model, nats per answer token", "accepted": "accepted",
    },
    "zh": {
        "title": "第 {number} 次迭代：{rows} 行",
        "advice": "下一步",
        "verdict": "结论",
        "against_base": "与未训练的基座模型相比",
        "against_parent": "与第 {parent} 次迭代相比",
        "funnel": "漏斗",
        "stage": "阶段", "entered": "进入", "kept": "保留", "dropped": "丢弃及原因", "seconds": "秒",
        "lengths": "长度", "question_tokens": "问题（估计 token 数）", "answer_tokens": "答案（估计 token 数）",
        "topics": "各文档的行数", "types": "各问题类型的行数", "languages": "语言",
        "curves": "学习曲线", "step": "优化步数", "nll": "损失（nats / 答案 token）",
        "intervals": "Delta 及区间；0 左侧表示新数据更好", "delta_axis": "Delta（nats / 答案 token）",
        "answers": "训练前后的回答", "question": "问题", "reference": "参考答案", "before": "训练前", "after": "训练后",
        "sample_kept": "保留的行（固定随机抽样）", "sample_dropped": "被丢弃的行与文件及原因",
        "answer": "答案", "document": "文档", "evidence": "依据", "reason": "原因",
        "iterations": "各次迭代", "rows": "行", "command": "在 LLaMA-Factory 中完整训练",
        "exam": "考题：{recall} 道关于训练过的文档（recall），{unseen} 道关于整篇留出的文档（unseen），{gold} 道由人编写（gold）。",
        "limits": "它不能说明的：小模型上的损失不等于回答质量，请人工看答案；由生成器出的题偏向它自己的风格，有 gold 题时以 gold 为准；"
        "轮数相同时，数据多的一方训练步数也多。",
        "slices": "按语言、按文档目录（各自做 Holm 校正）", "slice": "切片", "questions": "题数", "documents": "文档数",
        "control": "训练步数相同时", "vault": "保密题（采用时开启）",
        "by_size": "损失与数据量；竖线为与对照之差的区间", "coverage": "被覆盖的段落", "cost": "生成花费",
        "gain": "相对未训练基座的提升（nats / 答案 token）", "accepted": "采用",
    },
}  # fmt: skip
