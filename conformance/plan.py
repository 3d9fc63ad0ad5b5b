"""From what was asked for to a plan: testees loaded, probed for honesty, and the choices checked."""

from __future__ import annotations

import random
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace

from conformance.drive.capabilities import Testee, TesteeError, load
from conformance.drive.contain import contained
from conformance.drive.control import instruction
from conformance.drive.host import HostSession
from conformance.drive.misuse import MisuseSession
from conformance.drive.plugin import PluginSession
from conformance.drive.process import describe_status
from conformance.drive.programs import run_program
from conformance.drive.transports import TRANSPORTS
from conformance.outcomes import CaseProblem, HarnessError, Timeout, Unsupported
from conformance.requirements import Side
from conformance.settings import Plan, Settings, TesteeOptions

REFERENCE = shlex.join([sys.executable, "-P", "-m", "conformance.reference"])
"""The command of the reference testee."""

MADE_UP = "conformance-made-up"


def make_plan(settings: Settings, commands: Sequence[str], options: Sequence[TesteeOptions] = ()) -> Plan:
    """Load the testees (the reference if none is named), check that they are honest, and check the settings.

    ``options`` are those of each testee, or none at all.

    Raises:
        TesteeError: a testee cannot be run, breaks the contract, or claims what does not exist.
        UsageError, KnownFailuresError: as `Settings.check`.
    """
    with contained():
        testees = _named_apart([load(command) for command in commands or [REFERENCE]])
        settings.check(testees)
        if settings.seed is None:
            settings = replace(settings, seed=random.SystemRandom().randrange(1 << 32))
        own = {testee.name: settings.for_testee(testee, of) for testee, of in zip(testees, options, strict=False)}
        plan = Plan(settings, testees, {name: each for name, each in own.items() if each != settings})
        for testee in testees:
            if testee.name in plan.own:
                plan.own[testee.name].check([testee])
            smoke(testee, plan.settings_of(testee.name))
    return plan


def _named_apart(testees: list[Testee]) -> list[Testee]:
    """Testees of the same name get a number."""
    seen: dict[str, int] = {}
    out: list[Testee] = []
    for testee in testees:
        seen[testee.name] = seen.get(testee.name, 0) + 1
        number = seen[testee.name]
        name = testee.name if number == 1 else f"{testee.name}-{number}"
        out.append(Testee(name, testee.argv, testee.manifest, testee.roles))
    return out


def smoke(testee: Testee, settings: Settings) -> None:
    """Start each side once and ask for something that does not exist.

    Raises:
        TesteeError: a side cannot be started at all, or the answer is not `unsupported`.
    """
    for side, check in ((Side.PLUGIN, _check_plugin), (Side.HOST, _check_host), (Side.MISUSE, _check_misuse)):
        if testee.role(side) is not None and settings.side in (None, side.value):
            try:
                check(testee, settings)
            except HarnessError as error:
                raise TesteeError(f"{testee.command}: the {side} side cannot be checked: {error.message}") from None
            except CaseProblem as error:
                text = " ".join(error.render().split())
                raise TesteeError(f"{testee.command}: the {side} side does not start: {text[:500]}") from None


def _check_plugin(testee: Testee, settings: Settings) -> None:
    transport = settings.first_way(testee, Side.PLUGIN)
    choice = {"endpoint": TRANSPORTS[transport].make} if transport else {"urls": ()}
    session = PluginSession(testee, timeout=settings.timeout, **choice)
    try:
        result = session.outcome(session.start(MADE_UP))
    except Unsupported:
        return
    except Timeout:
        session.close()
        if _answers_at_the_end(testee, settings):
            raise TesteeError(
                f"{testee.command}: the plugin side prints its outcomes when its input ends, not when they are due:"
                " flush standard output after each line"
            ) from None
        raise
    finally:
        session.close()
    raise TesteeError(
        f"{testee.command}: a made-up op was answered {result.kind!r} instead of 'unsupported':"
        " what it says proves nothing"
    )


def _answers_at_the_end(testee: Testee, settings: Settings) -> bool:
    """Whether the plugin side, which owes an outcome, has it in a buffer that is written when the process ends."""
    role = testee.role(Side.PLUGIN)
    assert role is not None
    line = instruction({"id": 1, "op": MADE_UP})
    done = run_program([*testee.argv, *role.path], timeout=settings.timeout, data=line)
    return b"unsupported" in done.stdout


def _check_host(testee: Testee, settings: Settings) -> None:
    role = testee.role(Side.HOST)
    if role is None or not role.binds:
        return  # it declares no way to run a plugin: every case is unsupported
    session = HostSession(testee, bind=settings.first_way(testee, Side.HOST), timeout=settings.timeout)
    try:
        session.hello()
    finally:
        session.close()


def _check_misuse(testee: Testee, settings: Settings) -> None:
    session = MisuseSession(testee, MADE_UP, timeout=settings.timeout)
    try:
        status, stdout, stderr = session.finish()
    finally:
        session.close()
    if status != 0 or not stdout.startswith("unsupported:"):
        said = (stdout or stderr).strip()[:200]
        raise TesteeError(
            f"{testee.command}: a made-up misuse was answered with {describe_status(status)}, {said!r} instead of"
            " 'unsupported: reason' and exit 0: what it refuses proves nothing"
        )
