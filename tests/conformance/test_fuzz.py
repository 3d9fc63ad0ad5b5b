"""Generated cases: examples shrink, replay, are confirmed on fresh processes, and leaks of state are told apart."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from conformance.drive.capabilities import Role
from conformance.fuzz import values
from conformance.fuzz.batches import Batch, Typed, batches
from conformance.fuzz.engine import Choices, Fuzz
from conformance.fuzz.json_formatting import DAMAGE, STYLES, TOGETHER, in_pieces, message_sessions, pieces
from conformance.fuzz.record import pack
from conformance.fuzz.regressions import Regression
from conformance.fuzz.state_machine import Cut, Scenario, scenarios
from conformance.oracle import strict
from conformance.oracle.values import INTEGER_RANGES, SCALARS, difference
from conformance.outcomes import Failure, HarnessError


class Wire:
    """What the engine uses of a session's wire."""

    def render(self) -> list[str]:
        """Nothing crossed it."""
        return []


class FakeSession:
    """A session without a process: it fails as it is told, and counts what it has run."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.ran = 0
        self.spent = False
        self.closed = False

    def forget(self) -> None:
        """Another example begins."""

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def fuzz(**choices: Any) -> tuple[Fuzz, list[FakeSession]]:
    """An engine over fake sessions, and the sessions that it started."""
    started: list[FakeSession] = []

    def start() -> Any:
        started.append(FakeSession())
        return started[-1]

    return Fuzz(start, Role(()), Choices(seed=1, **choices)), started


def large(session: Any, example: list[int]) -> int:
    """Fails for a list with an element over 5."""
    if any(element > 5 for element in example):
        raise Failure("an element is over 5", expected="5 or less", seen=repr(example))
    return len(example)


LISTS = st.lists(st.integers(0, 1000))


def test_a_failure_is_shrunk_and_named() -> None:
    engine, started = fuzz(examples=200)
    with pytest.raises(Failure) as caught:
        engine.check(LISTS, large)
    assert caught.value.note == "example: [6]"
    assert caught.value.seen == "[6]"
    assert engine.replay
    assert len(started) > 1


def test_steps_in_the_middle_of_a_plan_are_left_out() -> None:
    engine, _ = fuzz(examples=100)

    def needs_two(session: Any, scenario: Scenario) -> int:
        steps = [what for what, _ in scenario.steps()]
        if any(100 < first < 200 < second for first, second in itertools.combinations(steps, 2)):
            raise Failure("one of each")
        return 1

    with pytest.raises(Failure) as caught:
        engine.check(scenarios(60), needs_two)
    assert len(caught.value.example.plan) == 4  # type: ignore[attr-defined]


def test_what_is_left_out_is_tried_on_fresh_processes_where_examples_end_the_connection() -> None:
    engine, _ = fuzz(examples=100)

    def fails_where_two_steps_are_large(session: Any, scenario: Scenario) -> int:
        session.ran += 1
        assert session.ran == 1, "a process whose connection an example has ended"
        if sum(what > 100 for what, _ in scenario.steps()) > 1:
            raise Failure("two steps are over 100")
        return 1

    with pytest.raises(Failure):
        engine.check(scenarios(60), fails_where_two_steps_are_large, fresh=True)


def test_values_that_a_failure_does_not_need_are_left_out() -> None:
    engine, _ = fuzz(examples=200)

    def not_one(session: Any, batch: Batch) -> int:
        if any(choice % 4 == 2 and one.value == -1 and one.of == "int16" for choice, one, _ in batch.picks()):
            raise Failure("-1 is nothing")
        return 1

    with pytest.raises(Failure) as caught:
        engine.check(batches(values.types(SCALARS), SCALARS), not_one)
    example = caught.value.example  # type: ignore[attr-defined]
    assert example.pool == (Typed("int16", -1),)
    assert len(example.plan) == 2


@pytest.mark.parametrize("seed", range(3))
def test_nearly_every_corner_comes_in_a_run(seed: int) -> None:
    engine, _ = fuzz(examples=180)
    engine.choices.seed = seed
    met: set[str] = set()

    def note(session: Any, batch: Batch) -> int:
        met.update(repr((one.of, one.value)) for _, one, _ in batch.picks())
        return 1

    engine.check(batches(values.types(SCALARS), SCALARS), note)
    edge_cases = {repr(edge_case) for edge_case in values.edges(SCALARS)}
    assert len(edge_cases) > 150
    assert len(edge_cases - met) <= len(edge_cases) // 10


def test_bytes_are_cut_behind_what_is_apt_to_be_split() -> None:
    assert pieces(b"[-1e-7,-2]", b"-+.") == [b"[-", b"1e-", b"7,-", b"2]"]
    assert pieces(b"-" * 9, b"-", most=3) == [b"-", b"-", b"-" * 7]
    assert in_pieces([b"ab"] * (TOGETHER + 2), [[1], b"b"]) == [*[b"a", b"b"] * TOGETHER, b"ab", b"ab"]


@pytest.mark.parametrize(
    ("scenario", "cut"),
    [
        ({"place": 0.0}, Cut(b"", 0, True)),
        ({"place": 0.25}, Cut(b'{"a"', 0, False)),
        ({"place": 0.5}, Cut(b'{"a":1}\n', 1, True)),
        ({"place": 1.0}, Cut(b'{"a":1}\n{"b":2}\n', 2, True)),
        ({"place": 0.25, "beside": -1}, Cut(b'{"a":1', 0, False)),
        ({"place": 0.25, "beside": 0}, Cut(b'{"a":1}', 1, True)),
        ({"place": 0.25, "beside": 1}, Cut(b'{"a":1}\n', 1, True)),
        ({"place": 0.25, "beside": 2}, Cut(b'{"a":1}\n{', 1, False)),
        ({"place": 1.0, "beside": 0}, Cut(b'{"a":1}\n{"b":2}', 2, True)),
        ({"place": 1.0, "beside": 2}, Cut(b'{"a":1}\n{"b":2}\n', 2, True)),
    ],
)
def test_a_message_ends_with_its_brace(scenario: dict[str, Any], cut: Cut) -> None:
    assert Scenario(b"", (), **scenario).cut(b'{"a":1}\n{"b":2}\n') == cut


def test_a_walk_without_messages_is_cut_too() -> None:
    assert Scenario(b"", (), beside=-1).cut(b"") == Cut(b"", 0, True)


def test_a_regression_is_not_made_smaller() -> None:
    scenario = Scenario(b"\x09\x00\x09\x00", ("",))
    engine, started = fuzz(regressions=(Regression("file", "case", scenario),))

    def has_a_step(session: Any, scenario: Scenario) -> int:
        if any(what > 5 for what, _ in scenario.steps()):
            raise Failure("a step is over 5")
        return 1

    with pytest.raises(Failure) as caught:
        engine.check(scenarios(60), has_a_step)
    assert caught.value.example == scenario  # type: ignore[attr-defined]
    assert len(started) == 1


def test_a_replay_runs_exactly_the_example() -> None:
    engine, _ = fuzz(examples=200)
    with pytest.raises(Failure):
        engine.check(LISTS, large)
    again, _ = fuzz(replay=engine.replay)
    with pytest.raises(Failure, match="example: \\[6\\]"):
        again.check(LISTS, large)
    assert again.counts.examples <= 3


def test_a_replay_that_passes_now_says_so() -> None:
    engine, _ = fuzz(examples=200)
    with pytest.raises(Failure):
        engine.check(LISTS, large)
    fixed, _ = fuzz(replay=engine.replay)
    with pytest.raises(HarnessError, match="passes now"):
        fixed.check(LISTS, lambda session, example: 1)


def test_a_replay_of_another_case_says_so() -> None:
    engine, started = fuzz(replay=pack("host/states/interleaved", [6]))
    engine.case = "host/fuzz/values"
    with pytest.raises(HarnessError, match="is one of host/states/interleaved, not of host/fuzz/values"):
        engine.check(LISTS, large)
    assert not started


def test_nonsense_is_no_replay() -> None:
    engine, _ = fuzz(replay="nonsense")
    with pytest.raises(HarnessError, match="not an example to be replayed: nonsense"):
        engine.check(LISTS, large)


def test_processes_are_warm() -> None:
    engine, started = fuzz(examples=50)
    engine.check(LISTS, lambda session, example: 1)
    assert len(started) == 1
    assert engine.counts.examples == engine.counts.calls >= 50
    assert started[0].closed


def test_fresh_processes_where_an_example_ends_the_connection() -> None:
    engine, started = fuzz(examples=50)
    engine.check(LISTS, lambda session, example: 1, fresh=True)
    assert len(started) == engine.counts.examples


def test_a_process_whose_connection_has_ended_is_replaced() -> None:
    engine, started = fuzz(examples=20)

    def spends(session: Any, example: list[int]) -> int:
        session.spent = engine.counts.examples % 4 == 0
        return 1

    engine.check(LISTS, spends)
    assert len(started) == 1 + (engine.counts.examples - 1) // 4


def test_what_fails_only_on_a_warm_process_is_a_leak_of_state() -> None:
    engine, _ = fuzz(examples=50)

    def leaks(session: Any, example: list[int]) -> int:
        session.ran += 1
        if session.ran > 3:
            raise Failure("an earlier call shows")
        return 1

    with pytest.raises(Failure, match="state leaks from call to call"):
        engine.check(LISTS, leaks)


@given(st.sampled_from(SCALARS).flatmap(lambda of: st.tuples(st.just(of), values.of_type(of))))
def test_values_are_of_their_type(drawn: tuple[str, Any]) -> None:
    of, value = drawn
    assert difference(of, value, strict.loads(strict.dumps(value))) is None
    if of in INTEGER_RANGES:
        low, high = INTEGER_RANGES[of]
        assert type(value) is int
        assert low <= value <= high
    if of == "bytes":
        base64.b64decode(value, validate=True)


@given(st.sampled_from(values.MISFITTED).flatmap(lambda of: st.tuples(st.just(of), values.misfits(of))))
def test_misfits_do_not_fit(drawn: tuple[str, Any]) -> None:
    of, value = drawn
    if of in INTEGER_RANGES:
        low, high = INTEGER_RANGES[of]
        assert type(value) is not int or not low <= value <= high
        assert not isinstance(value, float) or not value.is_integer()
    elif of == "bool":
        assert type(value) is not bool
    elif of == "string":
        assert type(value) is not str


@given(STYLES, st.dictionaries(values.KEYS, values.ANY, min_size=1, max_size=4))
def test_a_style_changes_the_bytes_and_not_the_meaning(formatting: Any, message: dict[str, Any]) -> None:
    read = json.loads(formatting.write(message))
    if formatting.unknown:
        del read["unknown to everybody"]
    assert difference("any", message, read) is None


@given(message_sessions(16), DAMAGE)
def test_damage_spares_what_comes_before_it(message_session: Any, damage: Any) -> None:
    stream = b"".join(formatting.write({"a": value}) for value, formatting in message_session.turns())
    damaged, at = damage.apply(stream)
    assert damaged[:at] == stream[:at]
    assert all(b"".join(pieces(stream, transport)) == stream for transport in message_session.cuts)


@given(batches(values.types(("int64", "string", "any")), ("int64", "string", "any")))
def test_a_batch_picks_from_its_pool(batch: Any) -> None:
    for _, one, two in batch.picks():
        assert one in batch.pool
        assert two in batch.pool
