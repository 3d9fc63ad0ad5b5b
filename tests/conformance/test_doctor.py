"""The doctor: one mistake in the contract gives one sentence, and a good testee none."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.doctor.command import STEPS, findings
from conformance.doctor.info import INFO, manifest_problem
from conformance.doctor.steps import OK, SKIPPED, WRONG, Examination, Finding, Mistake, Step, examine
from conformance.drive.capabilities import Testee
from conformance.requirements import Side
from conformance.starters.languages import LANGUAGES
from conformance.starters.project import write
from tests.conformance import bad_testees
from tests.docs.markdown import ROOT

CONTROL, MAIN, HOST, SERVICES = "contract/control.py", "testee.py", "host.py", "contract/services.py"

Edit = tuple[str, str, str]

MISTAKES: list[tuple[str, Edit, str, str]] = [
    (
        "an outcome of another id",
        (CONTROL, '"id": identity,', '"id": (identity or 0) + 1,'),
        "plugin: starts, and answers what does not exist",
        r"the outcome of instruction 77 has the id 78: .*",
    ),
    (
        "an id as text",
        (CONTROL, '"id": identity,', '"id": str(identity),'),
        "plugin: starts, and answers what does not exist",
        r"the outcome of instruction 77 has an id that is not an integer, '77': .*",
    ),
    (
        "no id",
        (CONTROL, '"id": identity,', ""),
        "plugin: starts, and answers what does not exist",
        r"the outcome of instruction 77 has no id: .*",
    ),
    (
        "text before the outcomes",
        (
            CONTROL,
            "        threading.Thread(target=self._work, daemon=True)",
            '        self._outcomes.write(b"ready\\n")\n        threading.Thread(target=self._work, daemon=True)',
        ),
        "plugin: starts, and answers what does not exist",
        r"a line where the outcome of instruction 77 is due is not JSON .*'ready'.*",
    ),
    (
        "no flush",
        (CONTROL, "self._outcomes.flush()", "pass"),
        "plugin: starts, and answers what does not exist",
        r"instruction 77 got no outcome within 3 s.*",
    ),
    (
        "no line feed",
        (CONTROL, '.encode() + b"\\n"', ".encode()"),
        "plugin: starts, and answers what does not exist",
        r"the outcome of instruction 77 does not end with a line feed: .*; each outcome is one line",
    ),
    (
        "two kinds in one outcome",
        (CONTROL, "kind: value}).encode()", 'kind: value, "error": ""}).encode()'),
        "plugin: starts, and answers what does not exist",
        r"the outcome of instruction 77 has error and unsupported together, expected one of them: .*",
    ),
    (
        "an unknown op is an error",
        (CONTROL, 'raise Unsupported(f"the op {op!r}")', 'raise CallError(f"the op {op!r}")'),
        "plugin: starts, and answers what does not exist",
        r"the op 'conformance-made-up', which does not exist, was answered with 'error' .*",
    ),
    (
        "the process ends at once",
        (MAIN, "    urls = [words", "    sys.exit('no such luck')\n    urls = [words"),
        "plugin: starts, and answers what does not exist",
        r"the process ended .*exit 1; standard error ends with: no such luck",
    ),
    (
        "an outcome too many",
        (CONTROL, "self._outcomes.write(line)", "self._outcomes.write(line * 2)"),
        "plugin: one outcome for each instruction",
        r'one instruction got a second outcome: \{"id":77,.*',
    ),
    (
        "hosted by nobody",
        ("plugin.py", "return self._plugin.hosted", "return True"),
        "plugin: hosted, without a host",
        r"the outcome of instruction 77 has True, expected False",
    ),
    (
        "unknown fields are refused",
        (
            CONTROL,
            '        op = instruction.get("op")',
            '        op = instruction.get("op")\n        assert "conformance-made-up" not in instruction, "field"',
        ),
        "plugin: an unknown field",
        r"an instruction with the unknown field 'conformance-made-up' ended with 'panic' .*",
    ),
    (
        "an unknown type is an error",
        ("plugin.py", 'raise Unsupported("one of the types")', 'raise CallError("one of the types")'),
        "plugin: a type that does not exist",
        r"a call with the type 'conformance-made-up', which does not exist, was answered with 'error' .*",
    ),
    (
        "an unknown misuse is let pass",
        ("plugin.py", 'raise Unsupported(f"the misuse {misuse!r}")', 'return "bound"'),
        "plugin: a misuse that does not exist",
        r"a bind with the misuse 'conformance-made-up', which does not exist, was answered with 'ok' .*",
    ),
    (
        "exit with another status",
        (CONTROL, 'os._exit(instruction["code"])', "os._exit(1)"),
        "plugin: exit",
        r"the instruction exit with code 7 ended the process with status 1",
    ),
    (
        "end of input with another status",
        (MAIN, "os._exit(0)  # at the end of the instructions", "os._exit(3 if not urls else 0)  # at the end"),
        "plugin: end of input",
        r"at the end of standard input the process exits with status 3, expected 0",
    ),
    (
        "control descriptors are not heeded",
        (MAIN, 'os.environ.get("CONFORMANCE_CONTROL", "0,1")', '"0,1"'),
        "plugin: control descriptors",
        r".*(got no outcome|closed its output).*",
    ),
    (
        "a fallback in the wrong order",
        ("plugin.py", "return args[::-1]", "return args"),
        "plugin: fallback",
        r"the outcome of instruction 77 has \[1, 2\], expected \[2, 1\]",
    ),
    (
        "one result in place of the array",
        (
            CONTROL,
            "return self._plugin.call(namespace, name, params, results, args)",
            "return (self._plugin.call(namespace, name, params, results, args) or [0])[0]",
        ),
        "plugin: call",
        r"the outcome of a call has 42 for 'ok', expected the array of its results, .*",
    ),
    (
        "text before the error",
        (
            "plugin.py",
            "(*args)\n        except ERRORS as error:\n            raise CallError(str(error))",
            '(*args)\n        except ERRORS as error:\n            raise CallError(f"call: {error}")',
        ),
        "plugin: the error of a service",
        r"the text of the error is 'call: no such file: /none', expected exactly what the service said, .*",
    ),
    (
        "a panic for the error of a service",
        (
            "plugin.py",
            "(*args)\n        except ERRORS as error:\n            raise CallError(str(error))",
            "(*args)\n        except ERRORS as error:\n            raise Misuse(str(error))",
        ),
        "plugin: the error of a service",
        r"a call that failed in the service ended with 'panic' .*, expected 'error'",
    ),
    (
        "hasNamespace as text",
        (CONTROL, "return self._plugin.has_namespace(namespace)", "return str(self._plugin.has_namespace(namespace))"),
        "plugin: hasNamespace",
        r"the outcome of instruction 77 has 'True', expected True",
    ),
    (
        "listServices as an object",
        (
            CONTROL,
            "return self._plugin.list_services(namespace)",
            'return {"services": self._plugin.list_services(namespace)}',
        ),
        "plugin: listServices",
        r"the outcome of instruction 77 has \{'services': \['s', 't'\]\}, expected \['s', 't'\]",
    ),
    (
        "async is not heeded",
        (CONTROL, 'if instruction.get("async") is True:', "if False:"),
        "plugin: async",
        r".*a second call, while the first one has no reply.*",
    ),
    (
        "the plugin's failure is a success",
        (MAIN, "os._exit(0 if problem is None else 1)", 'os._exit(1 if problem and "made-up" in problem else 0)'),
        "host: a plugin that fails",
        r"the plugin exits 7: the host reports success.*",
    ),
    (
        "no word of the failure",
        (MAIN, "if problem is not None:", 'if problem is not None and "made-up" in problem:'),
        "host: a plugin that fails",
        r"the plugin exits 7: the host does not say what happened.*",
    ),
    (
        "a service is missing",
        (SERVICES, '"swap":', '"swop":'),
        "host: the registry",
        r"the namespace 'conformance' has no service 'swap'",
    ),
    (
        "a manifest of its own",
        (SERVICES, '"contract": 1', '"contract": 2'),
        "host: the registry",
        r"the manifest of the namespace 'conformance' is \{'contract': 2\}, expected \{'contract': 1\}",
    ),
    (
        "a misuse that does not exist",
        (MAIN, 'print(f"unsupported: the misuse {words[0]!r}")\n        return 0', "return 2"),
        "misuse: a kind that does not exist",
        r"the misuse 'conformance-made-up', which does not exist, ended with exit 2 and 'nothing', .*",
    ),
]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the Python example."""
    folder = tmp_path_factory.mktemp("doctor") / "good"
    write(LANGUAGES["python"], folder, example=True)
    return folder


def command(folder: Path) -> str:
    return shlex.join([sys.executable, str(folder / "testee.py")])


def wrong(found: list[Finding]) -> list[tuple[str, str]]:
    return [(each.step.name, each.problem) for each in found if each.state == WRONG]


@pytest.mark.parametrize(("edit", "step", "says"), [pytest.param(*row[1:], id=row[0]) for row in MISTAKES])
def test_one_mistake_is_one_sentence(good: Path, tmp_path: Path, edit: Edit, step: str, says: str) -> None:
    folder = tmp_path / "bad"
    shutil.copytree(good, folder)
    file, find, replace = edit
    text = (folder / file).read_text()
    assert find in text
    (folder / file).write_text(text.replace(find, replace, 1))
    found = wrong(list(findings(command(folder), 3.0, Side(step.partition(":")[0]))))
    assert [name for name, _ in found] == [step], found
    assert re.fullmatch(says, found[0][1], re.DOTALL), found[0][1]


@pytest.mark.parametrize(
    ("info", "says"),
    [
        ("print('hello')", "`info` printed no JSON object: Expecting value at character 0: b'hello\\n'"),
        (bad_testees.manifest(manifestVersion=2), "manifestVersion is 2, expected 1"),
        (bad_testees.manifest(name=""), "the manifest has no name"),
        (bad_testees.with_data(contract=2), "conformance-plugin keeps contract 2, expected 1"),
        (
            bad_testees.manifest(author=5),
            "the manifest does not fit its schema: Expected `str`, got `int` - at `$.author`",
        ),
        (
            bad_testees.with_data(features=[1]),
            "the manifest does not fit its schema: Expected `str`, got `int` - at `$.commands[0].data.features[0]`",
        ),
        (
            bad_testees.with_data(types=["strin"]),
            "types of conformance-plugin names 'strin', which is no type of the contract; the nearest is 'string'",
        ),
    ],
)
def test_a_mistake_in_the_manifest_is_the_only_finding(tmp_path: Path, info: str, says: str) -> None:
    found = list(findings(bad_testees.write(tmp_path, info), 2.0))
    assert [(each.step.name, each.state, each.problem) for each in found] == [(INFO.name, WRONG, says)]


def test_outcomes_that_come_when_the_input_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    rest = """
    for line in sys.stdin:
        print(json.dumps({"id": json.loads(line)["id"], "unsupported": "all"}))
"""
    found = wrong(list(findings(bad_testees.write(tmp_path, bad_testees.manifest(), rest), 1.0)))
    says = (
        "instruction 77 got no outcome within 1 s, and got one when standard input ended:"
        " flush standard output after each line"
    )
    assert found == [("plugin: starts, and answers what does not exist", says)]


def test_two_commands_of_one_type() -> None:
    row = {"path": ["p"], "type": "conformance-plugin", "data": {"contract": 1}}
    manifest = {"manifestVersion": 1, "name": "x", "commands": [row, row]}
    assert manifest_problem(manifest) == "the manifest has two commands of the type conformance-plugin"


def test_the_example_keeps_the_contract_and_each_step_is_told(good: Path) -> None:
    result = CliRunner().invoke(main, ["doctor", command(good)])
    assert result.exit_code == 0, result.output
    assert result.output.endswith(f"{len(STEPS) + 1} steps are right, 0 wrong, 0 skipped\n")
    told = "\n".join(
        [
            "ok       plugin: hosted, without a host",
            f"           sent      $ {command(good)} conformance-plugin",
            '           sent      {"id": 77, "op": "hosted"}',
            '           came      {"id":77,"ok":false}',
            '           expected  "ok":false',
            "           see       docs/testee.md#instructions",
        ]
    )
    assert told in result.output


@pytest.mark.parametrize(
    "testee",
    [
        f"{sys.executable} -P -m conformance.reference",
        f"{sys.executable} {ROOT}/fixtures/testees/scratch_python/testee.py",
        pytest.param(
            f"node {ROOT}/fixtures/testees/node/testee.mjs",
            marks=pytest.mark.skipif(shutil.which("node") is None, reason="not run: it needs node"),
        ),
    ],
)
def test_a_good_testee_makes_no_mistake(testee: str) -> None:
    assert wrong(list(findings(testee, 20.0))) == []


def test_a_bare_project_declares_nothing_and_makes_no_mistake(tmp_path: Path) -> None:
    write(LANGUAGES["python"], tmp_path / "bare", example=False)
    found = list(findings(command(tmp_path / "bare"), 20.0))
    assert wrong(found) == []
    assert {each.state for each in found} == {OK, SKIPPED}


def test_quiet_shows_mistakes_only(tmp_path: Path) -> None:
    testee = bad_testees.write(tmp_path, bad_testees.manifest(), bad_testees.ANSWERS_EVERYTHING)
    result = CliRunner().invoke(main, ["doctor", "-q", "--timeout", "2", testee])
    assert result.exit_code == 1
    first, *_, mistake, closing = result.output.splitlines()
    assert first == "wrong    plugin: starts, and answers what does not exist"
    assert mistake.strip().startswith(
        "MISTAKE   the op 'conformance-made-up', which does not exist, was answered with 'ok'"
    )
    assert closing.startswith("1 steps are right, 1 wrong, ")


def test_what_needs_a_step_that_failed_is_skipped() -> None:
    made: list[str] = []

    def fail(_examination: Examination, _log: object) -> None:
        raise Mistake("it is wrong")

    def note(_examination: Examination, _log: object) -> None:
        made.append("free")

    steps = [
        Step("a", "", "", fail),
        Step("b", "", "", note, "a"),
        Step("c", "", "", note, "b"),
        Step("d", "", "", note),
    ]
    found = list(examine(Examination(Testee("x", ("x",)), 1.0), steps))
    assert [(each.state, each.problem) for each in found] == [
        (WRONG, "it is wrong"),
        (SKIPPED, "it needs the step 'a'"),
        (SKIPPED, "it needs the step 'b'"),
        (OK, ""),
    ]
    assert made == ["free"]


def test_each_place_is_in_the_contract() -> None:
    page = (ROOT / "docs" / "testee.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = {"#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert {step.place for step in (INFO, *STEPS)} <= anchors
    assert len({step.name for step in STEPS}) == len(STEPS)
    assert {step.needs for step in STEPS if step.needs} <= {step.name for step in STEPS}
