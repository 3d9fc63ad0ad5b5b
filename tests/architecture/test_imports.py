"""Imports have one direction, and nothing that judges knows the reference."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LAYERS: list[set[str]] = [
    {"errors", "imports"},
    {"jsontext"},
    {"wire", "marshal", "openers"},
    {"client", "host"},
    {"recorder"},
    {"log", "testing", "commands", "aio"},
]
"""Parts of the library: each may import from earlier rows only, and from its own part."""

FIRST_IMPORTS_OF_THE_SUITE: list[set[str]] = [
    {"outcomes", "requirements", "oracle"},
    {"starters", "traffic"},
    {"drive"},
    {"interop"},
    {"case"},
    {"known_failures", "fuzz", "selection", "configuration"},
    {"settings", "results", "command_options"},
    {"report", "known_failures_update"},
    {"plan", "last_failed"},
    {"doctor"},
    {"fork", "temporary_files", "pytest_options", "guard"},
    {"verdict", "sessions"},
    {"judge", "rows", "pytest_process"},
    {"run"},
    {"fixtures"},
    {"collectors"},
    {"mutants", "pytest_cases"},
    {"mutation_report", "run_command"},
    {"cli"},
    {"command"},
]
"""Parts of the suite, in the same way; the cases stand beside: they use what a case may use, see below."""

FOR_CASES = {"case", "oracle", "outcomes", "drive", "requirements", "settings", "fuzz"}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Each module that a file imports, absolute, with the line; imports inside functions as well."""
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            yield module, node.lineno
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno


def sources(package: str) -> list[Path]:
    """The modules of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def part_of(module: str) -> str:
    """The part of a package that a module belongs to: plugsvc.wire.encode is wire."""
    return module.split(".")[1] if "." in module else ""


def breaches(package: str, layers: list[set[str]]) -> list[str]:
    """Imports that go against the direction."""
    level = {part: index for index, row in enumerate(layers) for part in row}
    found = []
    for path in sources(package):
        own = part_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        if own not in level:
            continue
        for module, line in imports(path):
            other = part_of(module)
            if not module.startswith(f"{package}.") or other == own or other not in level:
                continue
            if level[other] >= level[own]:
                found.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    return sorted(set(found))


def test_library_has_one_direction() -> None:
    assert breaches("plugsvc", LAYERS) == []


def name_of(path: Path) -> str:
    """The dotted name of a module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("package", ["plugsvc", "conformance", "benchmarks"])
def test_no_module_needs_itself(package: str) -> None:
    """Not by way of others either, whether it is imported at once, in a function, or for type checkers only."""
    needed = {name_of(path): {module for module, _ in imports(path)} for path in sources(package)}
    needed = {name: {other for other in others if other in needed and other != name} for name, others in needed.items()}
    while free := [name for name, others in needed.items() if not others]:
        for name in free:
            del needed[name]
        for others in needed.values():  # what remains is a circle, or leads to one
            others.difference_update(free)
    assert needed == {}


def test_every_part_of_the_library_is_in_the_order() -> None:
    named = {part for row in LAYERS for part in row}
    parts = {path.stem if path.is_file() else path.name for path in (ROOT / "plugsvc").iterdir()}
    assert parts - {"__init__", "__pycache__", "__main__", "py"} == named


def test_suite_has_one_direction() -> None:
    assert breaches("conformance", FIRST_IMPORTS_OF_THE_SUITE) == []


def test_nothing_that_judges_imports_the_reference() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources("conformance")
        if not path.name.startswith("reference")
        for module, line in imports(path)
        if module.split(".")[0] == "plugsvc" or module.startswith("conformance.reference")
    ]
    assert found == []


JUDGES = ("oracle", "drive", "cases", "fuzz", "traffic")


def test_what_reads_the_wire_shares_no_decoder_with_the_reference() -> None:
    """Files of the suite's own (reports, lists, settings) may be read with msgspec, messages of a testee not."""
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for part in JUDGES
        for path in sources(f"conformance/{part}")
        for module, line in imports(path)
        if module.split(".")[0] == "msgspec"
    ]
    assert found == []


def test_the_library_does_not_know_the_suite() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources("plugsvc")
        for module, line in imports(path)
        if module.split(".")[0] == "conformance"
    ]
    assert found == []


def test_nobody_knows_the_benchmarks() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in ("plugsvc", "conformance")
        for path in sources(package)
        for module, line in imports(path)
        if module.split(".")[0] == "benchmarks"
    ]
    assert found == []


def test_cases_use_what_cases_may_use() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources("conformance/cases")
        for module, line in imports(path)
        if module.startswith("conformance.") and part_of(module) not in FOR_CASES | {"cases"}
    ]
    assert found == []


@pytest.mark.parametrize("module", ["conformance.cli", "conformance.pytest_cases", "conformance.run"])
def test_running_the_suite_does_not_load_the_reference(module: str) -> None:
    code = f"import sys, {module}; from conformance.case import catalogue; catalogue(); print('plugsvc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


def test_no_file_is_over_600_lines() -> None:
    long = [
        str(path.relative_to(ROOT))
        for folder in ("plugsvc", "conformance", "tests", "benchmarks", "fixtures")
        for path in (ROOT / folder).rglob("*.py")
        if "build" not in path.parts and len(path.read_text(encoding="utf-8").splitlines()) > 600
    ]
    assert long == []


def test_parameters_of_cases_have_types() -> None:
    """An editor completes what a case may do, and mypy checks it: fixtures are declared by their types."""
    untyped = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}({argument.arg})"
        for path in sources("conformance/cases")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for argument in node.args.args
        if argument.annotation is None or ast.unparse(argument.annotation) == "Any"
    ]
    assert untyped == []
