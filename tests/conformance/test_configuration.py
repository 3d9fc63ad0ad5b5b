"""The configuration: found upwards, read strictly, and the same for the command and for pytest."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from conformance.cli import main
from conformance.configuration import ConfigurationError, asked, find
from conformance.drive.capabilities import Role, Testee
from conformance.schemas.catalogue import schema
from conformance.settings import Settings, TesteeOptions, UsageError
from conformance.starters.languages import LANGUAGES, Language
from conformance.starters.project import write
from tests.conformance.foreign import run as run_in

REFERENCE = f"{sys.executable} -P -m conformance.reference"
GOOD = f"""
[testees.mine]
command = "{REFERENCE}"
environment = {{ A = "b c" }}
skip = ["plugin/requests/no-*"]
known-failures = "known.toml"

[defaults]
case = ["plugin/requests/*"]
max-time = 2
"""


def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.chdir(folder)
    return CliRunner().invoke(main, list(words))


def test_it_is_found_upwards_and_the_nearest_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "conformance.toml").write_text(GOOD)
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    found = find(inner)
    assert found is not None
    assert found.file == tmp_path / "conformance.toml"
    assert found.configuration.defaults.given() == {"case": ["plugin/requests/*"], "max-time": 2.0}
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.plugsvc-conformance.testees.near]\ncommand = './near'\n")
    nearest = find(inner)
    assert nearest is not None
    assert nearest.names == ["near"]
    monkeypatch.chdir(inner)
    assert nearest.testee("near").command == f"env -C {tmp_path}/a {tmp_path}/a/near"


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conformance.toml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    (testee,) = asked([], [], find(tmp_path))
    assert testee.command == f"env 'A=b c' {REFERENCE}"
    assert testee.known_failures == (str(tmp_path / "known.toml"),)
    assert asked(["mine"], [], find(tmp_path)) == asked([], ["mine"], find(tmp_path)) == [testee]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[testee.x]\ncommand = 'x'\n", ":1: unknown key 'testee'; did you mean 'testees'?"),
        ("# a\n[testees.x]\ncomand = 'x'\n", ":3: unknown key 'comand' of [testees.x]; did you mean 'command'?"),
        (
            "[testees.x]\ncommand = '''\nx\n'''\ntransports = [\n 'file',\n]\ntime-out = 1\n",
            ":8: unknown key 'time-out' of [testees.x]; did you mean 'timeout'?",
        ),
        ("[testees.x]\ncommand = 'x'\ntimeout = 'long'\n", ":3: timeout of [testees.x]: Expected"),
        ("[testees.x]\nfolder = 'x'\n", ":1: command of [testees.x] is missing"),
        ("[testees]\nx = 'command'\n", ":2: testees.x is not a table"),
        ("\n[defaults]\nlevels = 'MUST'\n", ":3: unknown key 'levels' of [defaults]; did you mean 'level'?"),
        ("[defaults]\nlevel = 'must'\n", ":2: level of [defaults]: Invalid enum value 'must'"),
        ("nonsense", ": not TOML: "),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "conformance.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as problem:
        find(tmp_path)
    assert str(problem.value).startswith(f"{file}{says}")
    assert "\n" not in str(problem.value)


def test_a_wrong_configuration_ends_the_command_with_status_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conformance.toml").write_text("[default]\n")
    result = in_folder(tmp_path, monkeypatch, "run")
    assert result.exit_code == 2
    file = tmp_path / "conformance.toml"
    assert result.stderr == f"plugsvc-conformance: {file}:1: unknown key 'default'; did you mean 'defaults'?\n"


def test_a_name_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "mine: there is no configuration" in in_folder(tmp_path, monkeypatch, "run", "mine").stderr
    (tmp_path / "conformance.toml").write_text(GOOD)
    result = in_folder(tmp_path, monkeypatch, "run", "mime")
    assert result.exit_code == 2
    assert "no testee 'mime'; did you mean 'mine'? (it has mine)" in result.stderr


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=lambda language: language.name)
def test_the_projects_of_init_have_a_valid_one(tmp_path: Path, language: Language) -> None:
    write(language, tmp_path / "mine", example=False)
    found = find(tmp_path / "mine")
    assert found is not None
    assert found.names == ["mine"]
    data = tomllib.loads(found.file.read_text())
    assert Draft202012Validator(schema("configuration")).is_valid(data)


def test_run_without_arguments_and_by_name_in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write(LANGUAGES["python"], tmp_path / "mine", example=True)
    with (tmp_path / "mine" / "conformance.toml").open("a") as file:
        file.write('skip = ["plugin/requests/no-*"]\n[defaults]\ncase = ["plugin/requests/call"]\n')
    command = [str(Path(sys.executable).with_name("plugsvc-conformance"))]
    done = run_in(tmp_path / "mine", *command, "run")
    assert done.status == 0, done.output
    assert "testee mine: " in done.output
    assert done.output.endswith("1 cases: 1 passed\n")
    (tmp_path / "mine" / "sub").mkdir()
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "conformance"]
    done = run_in(tmp_path / "mine" / "sub", *words, "--conformance-testee", "mine")
    assert done.status == 0, done.output
    assert "1 cases: 1 passed" in done.output


def test_transports_of_a_testee() -> None:
    roles = {"host": Role(("h",), binds=("devfd", "unix")), "plugin": Role(("p",), schemes=("file", "unix"))}
    testee = Testee("x", ("x",), {}, roles)
    made = Settings().for_testee(testee, TesteeOptions(("file", "unix"), 3.0, ("k",), ("s",)))
    assert (made.schemes, made.binds, made.timeout) == (("file", "unix"), ("devfd", "unix"), 3.0)
    assert (made.known_failures, made.skips) == (("k",), ("s",))
    with pytest.raises(UsageError, match="x: transports: fiel: no such transport"):
        Settings().for_testee(testee, TesteeOptions(("fiel",)))
