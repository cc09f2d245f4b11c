"""The tiny model is the same each time and behaves like a base model."""

from pathlib import Path

from datagen.hashing import sha256_hex
from datagen.probe.models.backend import require_torch
from datagen.testing.tiny_model import build_tiny_model, cached_tiny_model


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    require_torch()
    one, two, other = (build_tiny_model(tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert sha256_hex((one / "model.safetensors").read_bytes()) != sha256_hex((other / "model.safetensors").read_bytes())
    assert (one / "model.safetensors").stat().st_size < 1_500_000


def test_tokenizer_keeps_chinese_and_english(tmp_path: Path) -> None:
    require_torch()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(build_tiny_model(tmp_path)))
    text = "早餐 68 元，served until 10:30!"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == ("<s>", "</s>", "<pad>")
    assert tokenizer.chat_template is None


def test_cached_copy_is_built_once(tmp_path: Path) -> None:
    require_torch()
    first = cached_tiny_model(tmp_path)
    written = (first / "model.safetensors").stat().st_mtime_ns
    assert cached_tiny_model(tmp_path) == first
    assert (first / "model.safetensors").stat().st_mtime_ns == written
    assert [p.name for p in tmp_path.iterdir()] == [first.name]
