"""What is kept of generated examples: replays, regressions, databases, the progress of campaigns, and the coverage."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from conformance.fuzz import values
from conformance.fuzz.batches import batches
from conformance.fuzz.database import DatabaseError, open_database
from conformance.fuzz.engine import ROUND, Choices
from conformance.fuzz.features import ALL, features, never
from conformance.fuzz.json_formatting import DAMAGE, message_sessions
from conformance.fuzz.progress import Progress, ProgressError
from conformance.fuzz.prototypes import prototypes
from conformance.fuzz.record import RecordError, decode, pack, unpack
from conformance.fuzz.regressions import RegressionError, load
from conformance.fuzz.state_machine import scenarios
from conformance.oracle.values import SCALARS
from conformance.outcomes import Failure

from .test_fuzz import LISTS, fuzz, large

EXAMPLES = st.one_of(
    batches(values.types(SCALARS), SCALARS),
    st.tuples(message_sessions(60), DAMAGE),
    scenarios(60),
    prototypes(SCALARS),
    st.tuples(st.booleans(), st.lists(values.TEXT), st.dictionaries(values.KEYS, values.FLOAT64)),
)


@given(EXAMPLES)
def test_an_example_travels_as_one_word(example: Any) -> None:
    word = pack("side/group/case", example)
    assert word.isascii()
    assert not set(word) & set(" '\"\\$")
    case, same = unpack(word)
    assert case == "side/group/case"
    assert repr(same) == repr(example)


@pytest.mark.parametrize("word", ["", "nonsense", "eNqr", "-", "eJw"])
def test_a_damaged_word_is_no_example(word: str) -> None:
    with pytest.raises(RecordError, match="not an example to be replayed"):
        unpack(word)


@pytest.mark.parametrize("data", [{"Nothing": {}}, {"bytes": "x"}, {"a": 1, "b": 2}, {"Scenario": {"steps": 1}}])
def test_data_of_another_form_is_no_example(data: Any) -> None:
    with pytest.raises(RecordError):
        decode(data)


def failing(**choices: Any) -> Any:
    """An engine that was run on the property of large elements, which fails, and what it raised."""
    engine, _ = fuzz(examples=200, **choices)
    engine.case = "plugin/fuzz/values"
    with pytest.raises(Failure) as caught:
        engine.check(LISTS, large)
    return engine, caught.value


def passing(seen: list[Any]) -> Callable[[Any, Any], int]:
    """A property that holds, and remembers what it was tried with."""

    def run(session: Any, example: Any) -> int:
        seen.append(example)
        return 1

    return run


def test_a_failure_is_saved_once_under_the_next_number(tmp_path: Path) -> None:
    folder = tmp_path / "regressions"
    engine, problem = failing(save=str(folder))
    assert engine.saved == str(folder / "0001.json")
    data = json.loads((folder / "0001.json").read_text())
    assert data == {
        "regression": 1,
        "case": "plugin/fuzz/values",
        "message": problem.message,
        "shown": "[6]",
        "example": [6],
    }
    failing(save=str(folder))
    assert [file.name for file in folder.iterdir()] == ["0001.json"]


def test_a_saved_regression_runs_first_and_fails_the_same_way(tmp_path: Path) -> None:
    _, problem = failing(save=str(tmp_path))
    engine, again = failing(regressions=tuple(load([str(tmp_path)])))
    assert engine.counts.examples == 1
    assert again.message == problem.message
    assert again.seen == problem.seen
    assert f"saved regression: {tmp_path}/0001.json" in again.note


def test_a_regression_that_passes_is_followed_by_new_examples(tmp_path: Path) -> None:
    failing(save=str(tmp_path))
    engine, started = fuzz(examples=30, regressions=tuple(load([str(tmp_path)])))
    seen: list[Any] = []
    engine.check(LISTS, passing(seen))
    assert seen[0] == [6]
    assert len(seen) == 31
    assert len(started) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "no regression of version 1"),
        ('{"regression": 2}', "no regression of version 1"),
        ('{"regression": 1, "case": "c"}', "expected the keys case and example"),
        ('{"regression": 1, "case": "c", "example": {"Nothing": {}}}', "not of this version's form: Nothing"),
    ],
)
def test_a_file_that_is_no_regression_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "0001.json").write_text(text)
    with pytest.raises(RegressionError, match=says):
        load([str(tmp_path)])


def test_a_folder_that_is_not_there_yet_has_no_regressions(tmp_path: Path) -> None:
    assert load([str(tmp_path / "none")]) == []


# --- databases ---------------------------------------------------------------------------------


def found_at_once(where: str) -> None:
    """What failed once is what the next run begins with, whatever its seed."""
    first, _ = failing(database=where)
    assert first.counts.examples > 1
    engine, _ = fuzz(examples=200, database=where)
    engine.case, engine.choices.seed = "plugin/fuzz/values", 99
    with pytest.raises(Failure):
        engine.check(LISTS, large)
    assert engine.counts.examples == 1
    other, _ = fuzz(examples=20, database=where)
    other.case = "host/fuzz/values"
    seen: list[Any] = []
    other.check(LISTS, passing(seen))
    assert len(seen) == 20


def test_a_folder_keeps_what_failed(tmp_path: Path) -> None:
    found_at_once(str(tmp_path / "examples"))


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[str]:
    """A Redis server of our own, at a socket."""
    pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        # In CI it has to be, else nobody would notice that this is never run.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("redis-server is not installed")
    socket = tmp_path / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    server = subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        for line in server.stdout:
            if "eady to accept connections" in line:
                break
        yield f"unix://{socket}"
    finally:
        server.terminate()
        server.stdout.close()
        server.wait(10)


def test_a_redis_server_keeps_what_failed(redis_server: str) -> None:
    found_at_once(redis_server)


def test_a_server_that_does_not_answer_is_named() -> None:
    pytest.importorskip("redis")
    with pytest.raises(DatabaseError, match=r"^redis://127\.0\.0\.1:1/0: .*[Rr]efused"):
        open_database("redis://127.0.0.1:1/0")


def test_another_scheme_is_no_database() -> None:
    with pytest.raises(DatabaseError, match="expected a folder or a URL that begins with redis://"):
        open_database("http://127.0.0.1/")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="file/examples: Not a directory"):
        open_database(str(tmp_path / "file" / "examples"))


# --- campaigns ---------------------------------------------------------------------------------


def campaign(**choices: Any) -> Any:
    """An engine in a campaign, after it, and the examples that it ran."""
    engine, _ = fuzz(profile="campaign", **choices)
    engine.case = "plugin/fuzz/values"
    seen: list[Any] = []
    engine.check(LISTS, passing(seen))
    return engine, seen


def test_a_campaign_goes_on_in_rounds_until_the_count_is_reached() -> None:
    engine, seen = campaign(examples=2 * ROUND + 50)
    assert engine.counts.rounds == 3
    assert len(seen) == engine.counts.examples == 2 * ROUND + 50
    assert seen[:ROUND] != seen[ROUND : 2 * ROUND]


def test_a_campaign_ends_when_its_time_is_up() -> None:
    engine, _ = campaign(seconds=0.3)
    assert engine.counts.examples > 0


def test_a_campaign_goes_on_where_it_was_left(tmp_path: Path) -> None:
    _, first = campaign(examples=ROUND, progress=str(tmp_path))
    engine, second = campaign(examples=2 * ROUND, progress=str(tmp_path))
    assert first != second
    assert engine.counts.examples == 2 * ROUND
    assert engine.counts.rounds == 2
    kept = Progress.load(str(tmp_path), "plugin/fuzz/values#0")
    assert kept.counted["calls"] == 2 * ROUND
    assert kept.features == engine.counts.features
    assert campaign(examples=2 * ROUND, progress=str(tmp_path))[1] == []
    spent, seen = campaign(seconds=kept.seconds, progress=str(tmp_path))
    assert seen == []
    assert spent.counts.examples == 2 * ROUND


def test_progress_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ProgressError, match="no progress of a campaign"):
        Progress.load(str(tmp_path), "x")


def test_shares_have_seeds_of_their_own_and_add_up() -> None:
    ran: list[list[Any]] = []
    for share in range(3):
        engine, _ = fuzz(examples=60, share=share, shares=3)
        seen: list[Any] = []
        engine.check(LISTS, passing(seen))
        ran.append(seen)
    assert [len(seen) for seen in ran] == [20, 20, 20]
    assert ran[0] != ran[1] != ran[2]


def test_seeds_reproduce() -> None:
    assert [Choices(seed=7, share=s).seed_of(r) for s in (0, 1) for r in (0, 1)] == [
        Choices(seed=7, share=s).seed_of(r) for s in (0, 1) for r in (0, 1)
    ]
    assert Choices(seed=7).seed_of(0) == 7
    assert len({Choices(seed=7, share=s).seed_of(r) for s in range(4) for r in range(4)}) == 16


# --- features ----------------------------------------------------------------------------------


@given(EXAMPLES)
def test_features_are_those_that_are_listed(example: Any) -> None:
    assert features(example) <= set(ALL)


@pytest.mark.parametrize(
    ("example", "has"),
    [
        ([-0.0], "float: negative zero"),
        ([5e-324], "float: subnormal"),
        ([(1 << 53) + 1], "integer: next to 2^53"),
        ([1 << 63], "integer: one past a limit"),
        (["e\u0301"], "text: combining"),
        (["\ufdd0"], "text: noncharacter"),
        (["😀"], "text: astral"),
        ([{"sequence": 1}], "container: key like a protocol field"),
        ([[[]]], "container: nested"),
        ([None], "null"),
    ],
)
def test_a_feature_is_seen(example: Any, has: str) -> None:
    assert has in features(example)


def test_what_was_never_generated_is_named() -> None:
    counts = Counter(ALL)
    counts["null"] = 0
    assert never(counts) == ["null"]
