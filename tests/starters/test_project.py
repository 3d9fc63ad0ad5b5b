"""What `init` writes, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.starters.languages import LANGUAGES, Language
from conformance.starters.project import StarterError, project_name, write
from tests.starters.tools import Suite

MARK = "YOUR IMPLEMENTATION:"
SIDES = ("plugin", "host", "misuse")


def texts(folder: Path) -> dict[str, str]:
    """Every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in files}


@pytest.mark.parametrize("example", [False, True], ids=["bare", "example"])
def test_a_project_is_complete(language: Language, example: bool, tmp_path: Path) -> None:
    folder = tmp_path / "my-testee"
    write(language, folder, example=example)
    files = texts(folder)
    assert {"README.md", "conformance.toml", ".gitignore", ".github/workflows/conformance.yml"} <= files.keys()
    assert "[testees.my-testee]" in files["conformance.toml"]
    assert language.command in files["conformance.toml"]
    assert language.command in files["README.md"]
    assert [name for name, text in files.items() if re.search(r"@[A-Z]+@", text)] == []


def test_each_side_has_one_marked_place(language: Language, tmp_path: Path) -> None:
    write(language, tmp_path / "mine", example=False)
    marked = [name for name, text in texts(tmp_path / "mine").items() for _ in range(text.count(MARK))]
    assert sorted(Path(name).stem.lower() for name in marked) == sorted(SIDES)


def test_the_example_leaves_no_marked_place(language: Language, tmp_path: Path) -> None:
    write(language, tmp_path / "mine", example=True)
    assert [name for name, text in texts(tmp_path / "mine").items() if MARK in text] == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    with pytest.raises(StarterError) as raised:
        write(LANGUAGES["python"], tmp_path, example=False)
    assert str(raised.value) == f"{tmp_path / 'README.md'}: exists already; choose an empty folder"
    assert texts(tmp_path) == {"README.md": "mine"}


@pytest.mark.parametrize(
    ("folder", "name"), [("mine", "mine"), ("My_Testee 2", "my-testee-2"), ("ä", "testee"), ("a--b", "a-b")]
)
def test_names(folder: str, name: str, tmp_path: Path) -> None:
    assert project_name(tmp_path / folder) == name


def test_the_command_says_what_is_next(suite: Suite, tmp_path: Path) -> None:
    done = suite.init(LANGUAGES["python"], tmp_path / "mine")
    assert done.status == 0, done.output
    assert f"  cd {tmp_path}/mine\n" in done.output
    assert '  plugsvc-conformance run --testee "python3 testee.py"\n' in done.output


def test_the_command_refuses_a_folder_that_has_the_files(suite: Suite, tmp_path: Path) -> None:
    suite.init(LANGUAGES["python"], tmp_path / "mine")
    done = suite.init(LANGUAGES["python"], tmp_path / "mine")
    assert done.status == 2
    assert done.output == (f"plugsvc-conformance: {tmp_path}/mine/README.md: exists already; choose an empty folder\n")


def test_an_unknown_language_is_refused(suite: Suite, tmp_path: Path) -> None:
    done = suite("init", "cobol", "mine", folder=tmp_path)
    assert done.status == 2
    assert "'cobol' is not" in done.output


def test_a_folder_that_cannot_be_made_is_refused(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = suite("init", "python", "file/mine", folder=tmp_path)
    assert done.status == 2
    assert "not a directory" in done.output
