"""A tiny random language model for tests: 2 Llama layers, hidden size 64, a byte-level BPE vocabulary of 1,024.

Built from nothing in about a second, the same bytes each time, and saved in the transformers folder layout, so everything
that takes a model path takes it. It knows no language; it learns a dozen sentences in a few hundred LoRA steps, which is what a
test of a training loop needs. Use it as ``--model tiny`` or through :func:`build_tiny_model`.
"""

import shutil
import tempfile
from pathlib import Path

VERSION = 1
"""Part of the cache key of saved copies; raise it when anything below changes the weights or the vocabulary."""

_CORPUS = (
    "Breakfast is served from 7:00 to 10:30 on the second floor, and costs 25 dollars for guests who did not book it.",
    "The deluxe room has a king bed, a bathtub and a view of the river; it costs 128 dollars a night, tax included.",
    "Guests may cancel free of charge until 18:00 the day before arrival; later, the first night is charged.",
    "Question: what time is check-out? Answer: check-out is at 12:00, and late check-out until 14:00 costs 30 dollars.",
    "早餐供应时间为7:00至10:30，地点在二楼餐厅，未含早餐的客人每位收费68元。",
    "豪华大床房每晚588元，含双早，可免费使用健身房和游泳池，可加床，加床每晚150元。",
    "入住当天18:00前可以免费取消订单，之后取消将收取第一晚房费。",
    "请问退房时间是几点？退房时间是中午12:00，延迟到14:00退房需要支付100元。",
    "酒店提供机场接送服务，单程120元，请至少提前一天预订。停车场对住店客人免费。",
    "You are the front desk assistant of the hotel. Answer briefly and politely. 你是酒店前台助手，请简短礼貌地回答。",
)


def build_tiny_model(folder: Path, *, seed: int = 0) -> Path:
    """Write model and tokenizer into ``folder`` (created) and return it.

    The same ``seed`` gives the same weights on every machine; the vocabulary does not depend on it. The tokenizer has no chat
    template, like a base model's.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    bpe.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=1024, special_tokens=["<pad>", "<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(_CORPUS, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    config = LlamaConfig(
        vocab_size=1024,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def cached_tiny_model(cache: Path) -> Path:
    """Return the tiny model's folder under ``cache``, building it the first time; safe with several processes at once."""
    target = cache / f"tiny-v{VERSION}"
    if (target / "config.json").exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=cache, prefix=".tiny-"))
    build_tiny_model(temporary)
    try:
        temporary.rename(target)
    except OSError:
        shutil.rmtree(temporary)
        if not (target / "config.json").exists():
            raise
    return target
