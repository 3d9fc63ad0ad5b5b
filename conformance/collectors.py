"""How pytest collects the cases: by collectors of their own, so that no configuration of the user changes which.

What decides is the plan alone. Patterns for names (``python_files``, ``python_functions``, ``norecursedirs``), the mode
of imports and doctests have no say, and neither have fixtures of the user that apply to everything, filters that turn
warnings into errors, or a time limit from a configuration file: each wait of the suite has a deadline of its own.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import conformance.cases
from conformance import fixtures
from conformance.case import ATTRIBUTE, Case
from conformance.settings import SelectedRow

PARAMETER = "conformance_row"
"""The name of the fixture that is the row of an item."""

PACKAGE = Path(conformance.__file__).parent
CASES = Path(conformance.cases.__file__).parent

Rows = Callable[[Case], list[SelectedRow]]


class SuiteFolder(pytest.Directory):
    """The folder of the package, in which there is the folder of the cases and nothing else."""

    rows: Rows

    def collect(self) -> Iterable[pytest.Collector]:
        """The folder of the cases."""
        return [cases_folder(self, self.rows)]


class CasesFolder(pytest.Directory):
    """The folder of the cases; their fixtures are visible below it only."""

    obj = fixtures
    rows: Rows

    def collect(self) -> Iterable[pytest.Collector]:
        """The modules that have a case of the run."""
        return [case_module(self, path) for path in sorted(CASES.glob("test_*.py"))]


class CaseModule(pytest.Module):
    """A module of cases."""

    rows: Rows

    def istestfunction(self, obj: object, name: str) -> bool:
        """Whether a function is a case of the run; its name does not matter."""
        made = getattr(obj, ATTRIBUTE, None)
        return isinstance(made, Case) and made.function is obj and bool(self.rows(made))

    def istestclass(self, obj: object, name: str) -> bool:
        """No case is a class."""
        return False

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """The cases, shielded from what the user configures for the user's own tests."""
        items = list(super().collect())
        for item in items:
            if isinstance(item, pytest.Function):
                _shield(item)
        return items


_FOLDER = pytest.StashKey[CasesFolder]()


def suite_folder(parent: pytest.Collector, rows: Rows) -> SuiteFolder:
    """The collector of the package."""
    folder: SuiteFolder = SuiteFolder.from_parent(parent, path=PACKAGE)
    folder.rows = rows
    return folder


def cases_folder(parent: pytest.Collector, rows: Rows) -> CasesFolder:
    """The collector of the cases, one for a session; ``rows`` says which rows the run has of a case."""
    found = parent.session.stash.get(_FOLDER, None)
    if found is None:
        found = parent.session.stash[_FOLDER] = CasesFolder.from_parent(parent, path=CASES)
        found.rows = rows
        manager = parent.config.pluginmanager.get_plugin("funcmanage")
        assert manager is not None
        manager.parsefactories(found)
    return found


def case_module(folder: CasesFolder, path: Path) -> CaseModule:
    """The collector of a module, which is imported by its name."""
    module: CaseModule = CaseModule.from_parent(folder, path=path)
    module.rows = folder.rows
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # not an error, whatever the user wants of the user's own modules
        module.obj = importlib.import_module(f"conformance.cases.{path.stem}")
    return module


def _shield(item: pytest.Function) -> None:
    own = {*vars(fixtures), *item.callspec.params, "request"}
    item.fixturenames[:] = [name for name in item.fixturenames if name in own]
    item.add_marker(pytest.mark.filterwarnings("default"))
    asked = any(str(word).startswith("--timeout") for word in item.config.invocation_params.args)
    if item.config.pluginmanager.hasplugin("timeout") and not asked:
        item.add_marker(pytest.mark.timeout(0))
