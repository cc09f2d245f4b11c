from pathlib import Path

import pytest

from datagen import library
from datagen.errors import UsageError


def test_workspace_comes_before_builtin_and_library_before_both(tmp_path: Path) -> None:
    for root in ("lib", "ws"):
        (tmp_path / root / "pipelines").mkdir(parents=True)
        (tmp_path / root / "pipelines" / "quickstart.yaml").write_text(root)
    assert library.find("pipelines", "quickstart", ".yaml", roots=(tmp_path / "ws",)).read_text() == "ws"
    assert library.find("pipelines", "quickstart", ".yaml", roots=(tmp_path / "lib", tmp_path / "ws")).read_text() == "lib"
    assert library.find("pipelines", "quickstart", ".yaml").parent.name == "pipelines"


@pytest.mark.parametrize("name", ["../secrets", "/etc/passwd", "a/../../b"])
def test_names_do_not_leave_the_library(name: str) -> None:
    with pytest.raises(UsageError, match="must not leave"):
        library.find("pipelines", name, ".yaml")


def test_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(UsageError) as caught:
        library.find("pipelines", "quickstrat", ".yaml")
    assert "did you mean 'quickstart'" in caught.value.hint
