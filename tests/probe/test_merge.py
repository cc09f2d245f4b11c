"""Adapters as others load them: PEFT, and merged into a plain transformers model."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from datagen.cli import main
from datagen.errors import DataError, UsageError
from datagen.probe.config import ProbeConfig
from datagen.probe.models.adapter import save_adapter
from datagen.probe.models.backend import adapter_parameters, load_backend, reset_adapter
from datagen.probe.models.merge import merge_adapter


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    backend = load_backend(tiny, ProbeConfig(model=str(tiny), rank=4, alpha=8))
    reset_adapter(backend, 0)
    with torch.no_grad():
        for name, p in adapter_parameters(backend):
            if "lora_B" in name:
                p.normal_(0, 0.05, generator=torch.Generator().manual_seed(len(name)))
    folder = tmp_path_factory.mktemp("adapter") / "adapter"
    save_adapter(backend, folder)
    return folder


def test_adapter_files_are_peft_s(adapter: Path, tiny: Path) -> None:
    written = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert (written["peft_type"], written["r"], written["lora_alpha"], written["task_type"]) == ("LORA", 4, 8.0, "CAUSAL_LM")
    assert written["base_model_name_or_path"] == str(tiny)
    assert sorted(written["target_modules"]) == ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
    assert (adapter / "adapter_model.safetensors").is_file()


def test_merged_logits_are_base_plus_adapter_s(adapter: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", str(adapter), "-o", str(tmp_path / "merged"), "--json"]) == 0
    done = json.loads(capfd.readouterr().out)
    assert done["max_difference"] < 1e-4
    assert done["as_saved"] < 1e-4
    assert done["within_tolerance"]
    assert not list((tmp_path / "merged").glob("adapter*"))
    rounded = merge_adapter(adapter, tmp_path / "rounded", dtype="bfloat16")
    assert rounded.max_difference < 1e-4 < rounded.as_saved


def test_what_cannot_be_merged_is_refused(adapter: Path, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no adapter_config\.json"):
        merge_adapter(tiny, tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").touch()
    with pytest.raises(UsageError, match="exists and is not empty"):
        merge_adapter(adapter, tmp_path / "full")
    copy = shutil.copytree(adapter, tmp_path / "copy")
    (copy / "adapter_model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(DataError, match="not an adapter for this model"):
        merge_adapter(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()
