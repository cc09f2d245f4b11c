"""datagen models lists what can be had, with licences."""

import json

import pytest

from datagen.cli import main


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    assert [m["name"] for m in listed] == ["gemma3-270m", "smollm2-135m"]
    assert listed[0]["licence"] == "Gemma Terms of Use"


def test_list_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    assert "gemma3-270m    240 MB  Gemma Terms of Use" in printed
    assert "Apache-2.0" in printed


def test_unknown_name_is_refused_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--install", "gemma-270m"]) == 2
    assert "did you mean 'gemma3-270m'?" in capsys.readouterr().err
