"""Names, paths and hashes of models; the training state read from curves."""

import hashlib
from pathlib import Path

import pytest

from datagen.errors import DatagenError, MissingExtra, UsageError
from datagen.probe.config import ProbeConfig
from datagen.probe.models.backend import load_backend
from datagen.probe.models.catalogue import EMBEDDED, Embedded
from datagen.probe.models.embedded import convert
from datagen.probe.models.known import hash_folder, resolve_model
from datagen.probe.result import Curve, CurvePoint
from datagen.probe.stats.curve import training_state


def test_embedded_models_carry_their_licence() -> None:
    source = resolve_model("gemma3-270m")
    assert source.licence == "Gemma Terms of Use"
    assert source.sha256.startswith("a5fd3b62")
    assert resolve_model("smollm2-135m").licence == "Apache-2.0"


def test_a_path_is_hashed_by_content(tiny: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(tiny, tmp_path / "copy")
    assert resolve_model(str(copy)).sha256 == resolve_model(str(tiny)).sha256 == hash_folder(tiny)
    (copy / "config.json").write_text("{}", encoding="utf-8")
    assert resolve_model(str(copy)).sha256 != hash_folder(tiny)


def test_damaged_weights_are_named(tiny: Path, config: ProbeConfig, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(tiny, tmp_path / "copy")
    (copy / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(DatagenError, match="copy: cannot be loaded as a causal language model: Error while deserializing header"):
        load_backend(copy, config)


def test_wrong_paths_say_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no config\.json") as caught:
        resolve_model(str(tmp_path))
    assert "config.json, tokenizer, weights" in caught.value.hint
    with pytest.raises(UsageError, match="neither a known name nor an existing folder"):
        resolve_model(str(tmp_path / "absent"))


def test_a_missing_package_names_the_command(tmp_path: Path) -> None:
    absent = Embedded("other", "", "datagen-no-such-package==1", "datagen_no_such_module", "", 1, "MIT", "")
    with pytest.raises(MissingExtra, match="needs the package datagen-no-such-package==1") as caught:
        convert(absent, "float32", cache=tmp_path)
    assert caught.value.hint == "datagen models --install other"


def test_a_changed_model_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "datagen_fake_model"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('must not be imported')", encoding="utf-8")
    (package / "fake.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    fake = Embedded("fake", "", "fake==1", "datagen_fake_model", "0" * 64, 1, "MIT", "")
    with pytest.raises(DatagenError, match=r"fake\.gguf: sha256"):
        convert(fake, "float32", cache=tmp_path / "cache")


def test_a_converted_model_is_found_again_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "datagen_ready_model"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "ready.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    digest = hashlib.sha256(b"GGUF").hexdigest()
    target = tmp_path / "cache" / f"ready-{digest[:12]}-float32"
    target.mkdir(parents=True)
    (target / "config.json").write_text("{}", encoding="utf-8")
    ready = Embedded("ready", "", "ready==1", "datagen_ready_model", digest, 1, "MIT", "")
    assert convert(ready, "float32", cache=tmp_path / "cache") == target


def test_every_embedded_model_pins_its_package() -> None:
    assert EMBEDDED
    assert all("==" in m.package and m.notice and m.licence for m in EMBEDDED.values())


@pytest.mark.parametrize(
    ("eval_losses", "train_losses", "state", "best"),
    [
        ([1.0, 0.8, 0.9], [1.0, 0.5, 0.2], "overfitting", 20),
        ([1.0, 0.8, 0.795], [1.0, 0.7, 0.69], "converged", 30),
        ([1.0, 0.8, 0.6], [1.0, 0.7, 0.5], "underfitting", 30),
        ([1.0, 0.8, 0.9], [1.0, 0.5, 0.6], "converged", 20),
    ],
    ids=["overfitting", "converged", "underfitting", "both-rise"],
)
def test_training_state(eval_losses: list[float], train_losses: list[float], state: str, best: int) -> None:
    points = tuple(
        CurvePoint(step=10 * (i + 1), train_loss=t, eval_loss={"recall": e})
        for i, (e, t) in enumerate(zip(eval_losses, train_losses, strict=True))
    )
    found = training_state([Curve(arm="new", seed=0, points=points)], arm="new", primary="recall")
    assert found is not None
    assert (found.state, found.best_step) == (state, best)


def test_a_set_that_is_scored_at_the_end_only_has_no_curve() -> None:
    points = tuple(CurvePoint(step=s, train_loss=1.0 / s, eval_loss={"recall": 1.0 / s}) for s in (5, 10))
    curves = [Curve(arm="new", seed=0, points=points)]
    assert training_state(curves, arm="new", primary="gold") is None
    assert training_state(curves, arm="new", primary="recall") is not None


def test_one_evaluation_is_no_curve() -> None:
    point = CurvePoint(step=5, train_loss=1.0, eval_loss={"recall": 1.0})
    assert training_state([Curve(arm="new", seed=0, points=(point,))], arm="new", primary="recall") is None
