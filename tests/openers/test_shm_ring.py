"""One ring, both ends in the hands of the test: what it holds, when it rings, and what it makes of nonsense."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import select
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from plugsvc.errors import ProtocolError
from plugsvc.openers import shm_ring
from plugsvc.openers.shm_memory import CONSUMER_WAITING, HEAD, PRODUCER_WAITING, TAIL
from plugsvc.openers.shm_ring import PIECE

from .rings import Sides, read_all, rung, sides, words

STREAM = bytes(range(256)) * 1024
"""What goes through rings: byte number n of a stream is n modulo 256."""

FAR = (1 << 63) - 100
"""A counter that is soon larger than what a signed number holds."""


@pytest.fixture(params=["x86", "weaker"], autouse=True)
def ordering(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fences for x86, and with those for processors that reorder more."""
    monkeypatch.setattr(shm_ring, "_STRONG", request.param == "x86")


def stream(start: int, size: int) -> bytes:
    return STREAM[start % 256 : start % 256 + size]


@pytest.mark.parametrize("size", [1, 2, 31, 33, 63, 64])
def test_wrap_around_at_every_offset(size: int) -> None:
    for start in (0, FAR):
        with sides(64, start=start) as both:
            for offset in range(65):
                assert words(both.producer)[TAIL] % 64 == (start + offset) % 64
                for data in (stream(offset, size), b"-" * (1 + -size % 64)):
                    assert both.producer.write(data) == len(data)
                    assert both.consumer.ready()
                    assert both.consumer.read(1000) == data
                    assert not both.consumer.ready()
                    assert both.consumer.read(1000) is None


def test_every_split_of_reading_and_writing() -> None:
    data = stream(0, 64)
    with sides(64) as both:
        for written in range(1, 64):
            for read in range(1, 64):
                both.producer.write(data[:written])
                both.producer.write(data[written:])
                assert both.consumer.read(read) == data[:read]
                assert both.consumer.read(64) == data[read:]
                both.producer.write(b"-")
                assert both.consumer.read(64) == b"-"


def test_a_ring_can_be_full() -> None:
    with sides(64, start=10) as both:
        assert both.producer.write(b"x" * 64) == 64
        assert both.producer.write(b"y") == 0
        assert both.consumer.read(1) == b"x"
        assert both.producer.write(b"y") == 1
        assert both.producer.write(b"y") == 0
        assert both.consumer.read(1000) == b"x" * 63 + b"y"


def test_small_messages_fit_as_a_whole_or_not_at_all() -> None:
    with sides(64) as both:
        assert both.producer.atomic == 32
        assert both.producer.write(b"x" * 40) == 40
        assert both.producer.write(b"y" * 32) == 0
        assert both.producer.write(b"z" * 33) == 24
    with sides(1 << 20) as both:
        assert both.producer.atomic == select.PIPE_BUF
        assert both.consumer.atomic == both.consumer.room == 0


def test_a_long_message_leaves_in_pieces() -> None:
    with sides(4 * PIECE) as both:
        data = stream(0, 256) * (PIECE // 128)
        for turn in range(3):
            assert both.producer.write(data) == PIECE, turn
            assert both.producer.write(memoryview(data)[PIECE:]) == PIECE
            assert both.consumer.read(1 << 20) == data


def test_both_directions_are_separate() -> None:
    with sides(64, 128) as both:
        assert both.producer.write(b"a" * 64) == 64
        assert both.back_producer.write(b"b" * 128) == 128
        assert both.back_consumer.read(1000) == b"b" * 128
        assert both.consumer.read(1000) == b"a" * 64


def test_ends_have_one_direction() -> None:
    with sides() as both:
        with pytest.raises(io.UnsupportedOperation, match="for reading"):
            both.consumer.write(b"x")
        with pytest.raises(io.UnsupportedOperation, match="for writing"):
            both.producer.read(1)
        assert not both.producer.ready()
        both.producer.grow(1 << 20)
        both.producer.establish(0.0)


SIZES = st.integers(1, 20) | st.integers(1, 600)


class Machine(RuleBasedStateMachine):
    """Writes, reads and sleeps in any order, against a model that is a string of bytes.

    Nobody sleeps while there is something to do for him, unless his doorbell has been rung.
    """

    @initialize(offset=st.integers(0, 70), far=st.booleans(), bits=st.sampled_from([6, 6, 7, 9]))
    def begin(self, offset: int, far: bool, bits: int) -> None:
        self.capacity = 1 << bits
        self.context = sides(self.capacity, start=offset + (FAR if far else 0))
        self.both = self.context.__enter__()
        self.written = self.taken = 0
        self.producing = self.consuming = True
        self.producer_sleeps = self.consumer_sleeps = False

    @precondition(lambda self: self.producing)
    @rule(size=SIZES)
    def write(self, size: int) -> None:
        self.producer_sleeps = False
        data = stream(self.written, size)
        room = self.capacity - (self.written - self.taken)
        if not self.consuming:
            try:
                count = self.both.producer.write(data)
            except BrokenPipeError:
                return
        else:
            count = self.both.producer.write(data)
        if size <= room:
            assert count == size
        elif size <= self.both.producer.atomic:
            assert count == 0
        else:
            assert count == room
        self.written += count

    @precondition(lambda self: self.consuming)
    @rule(size=SIZES)
    def read(self, size: int) -> None:
        self.consumer_sleeps = False
        data = self.both.consumer.read(size)
        there = self.written - self.taken
        if there:
            assert data == stream(self.taken, min(size, there))
            self.taken += len(data)
        else:
            assert data is None or (data == b"" and not self.producing)

    @precondition(lambda self: self.consuming)
    @rule()
    def look(self) -> None:
        self.consumer_sleeps = False
        assert self.both.consumer.ready() >= (self.written > self.taken)

    @precondition(lambda self: self.producing)
    @rule()
    def producer_goes_to_sleep(self) -> None:
        self.producer_sleeps = self.both.producer.arm()
        if self.consuming:
            assert self.producer_sleeps == (self.written - self.taken > self.capacity // 2)

    @precondition(lambda self: self.consuming)
    @rule()
    def consumer_goes_to_sleep(self) -> None:
        self.consumer_sleeps = self.both.consumer.arm()
        if self.producing:
            assert self.consumer_sleeps == (self.written == self.taken)

    # One side goes at most: with both gone there is nothing left to do.
    @precondition(lambda self: self.producing and self.consuming and self.written > 1000)
    @rule()
    def stop_writing(self) -> None:
        self.both.producer.close()
        self.producing = self.producer_sleeps = False

    @precondition(lambda self: self.producing and self.consuming and self.written > 1500)
    @rule()
    def stop_reading(self) -> None:
        self.both.consumer.close()
        self.consuming = self.consumer_sleeps = False

    @invariant()
    def nobody_sleeps_in_vain(self) -> None:
        if not hasattr(self, "both"):
            return
        used = self.written - self.taken
        if self.consumer_sleeps and (used or not self.producing):
            assert rung(self.both.consumer)
        if self.producer_sleeps and (used <= self.capacity // 2 or not self.consuming):
            assert rung(self.both.producer)

    def teardown(self) -> None:
        if not hasattr(self, "both"):
            return
        if self.producing and self.consuming:
            self.both.producer.close()
            assert read_all(self.both.consumer) == stream(self.taken, self.written - self.taken)
        self.context.__exit__(None, None, None)


def test_any_order_of_steps() -> None:
    chosen = settings(max_examples=60, stateful_step_count=50, deadline=None, database=None)
    run_state_machine_as_test(Machine, settings=chosen)


@settings(max_examples=60, deadline=None, database=None)
@given(sizes=st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=60))
def test_a_pair_of_rings_is_two_strings_of_bytes(sizes: list[tuple[int, int]]) -> None:
    """What was written comes out, in order, whatever the sizes, both ways in turn."""
    with sides(64, 256) as both:
        for producer, consumer in ((both.producer, both.consumer), (both.back_producer, both.back_consumer)):
            sent, got = 0, b""
            for write, read in sizes:
                sent += producer.write(stream(sent, write))
                got += consumer.read(read) or b""
            got += read_left(consumer)
            assert got == stream(0, sent)


def read_left(consumer: shm_ring.RingReader) -> bytes:
    got = b""
    while data := consumer.read(1000):
        got += data
    return got


# Ringing


def test_nobody_is_rung_who_is_awake() -> None:
    with sides() as both:
        for _ in range(10):
            both.producer.write(b"x" * 64)
            both.consumer.read(64)
        assert not rung(both.consumer)
        assert not rung(both.producer)


def test_a_sleeping_reader_is_rung_until_it_is_up() -> None:
    with sides() as both:
        assert both.consumer.arm()
        assert not rung(both.consumer)
        both.producer.write(b"x")
        both.producer.write(b"x")
        assert rung(both.consumer)
        assert both.consumer.ready()
        assert both.consumer.read(9) == b"xx"
        assert not rung(both.consumer)
        both.producer.write(b"x")
        assert not rung(both.consumer)
        assert both.consumer.read(9) == b"x"
        assert both.consumer.arm()
        both.producer.write(b"x")
        assert rung(both.consumer)


def test_a_sleeping_writer_is_rung_when_half_of_the_ring_is_free() -> None:
    with sides() as both:
        both.producer.write(b"x" * 64)
        assert both.producer.arm()
        both.consumer.read(31)
        assert not rung(both.producer)
        both.consumer.read(1)
        assert rung(both.producer)
        assert both.producer.write(b"y" * 32) == 32
        assert not rung(both.producer)


def test_who_has_something_to_do_does_not_sleep() -> None:
    with sides() as both:
        assert not both.producer.arm()
        both.producer.write(b"x" * 32)
        assert not both.producer.arm()
        both.producer.write(b"x")
        assert both.producer.arm(), "more than half is used"
        assert not both.consumer.arm()
        assert words(both.consumer)[CONSUMER_WAITING] == 0


def test_what_the_reader_overlooked_it_sees_before_it_sleeps() -> None:
    """Its reading has no fence, so the other side may have announced to sleep unseen."""
    with sides() as both:
        both.producer.write(b"x" * 64)
        both.consumer.read(64)
        words(both.producer)[PRODUCER_WAITING] = 1
        assert not rung(both.producer)
        assert both.consumer.arm()
        assert rung(both.producer)


def test_an_early_ring_is_forgotten() -> None:
    with sides() as both:
        assert both.consumer.arm()
        os.write(both.producer.doorbells.rung, b"stale")
        assert not both.consumer.ready()
        assert not rung(both.consumer)
        assert both.consumer.arm()


def test_a_bell_may_be_full() -> None:
    with sides() as both:
        assert both.consumer.arm()
        full = fcntl.fcntl(both.producer.doorbells.rung, fcntl.F_GETPIPE_SZ)
        assert os.write(both.producer.doorbells.rung, b"x" * full) == full
        assert both.producer.write(b"y") == 1
        assert both.consumer.read(9) == b"y"


# The end


def test_what_was_written_before_the_end_is_read(ordering: None) -> None:
    with sides() as both:
        both.producer.write(b"x" * 50)
        both.producer.close()
        assert both.consumer.read(20) == b"x" * 20
        assert read_all(both.consumer) == b"x" * 30
        assert both.consumer.ready()
        assert both.consumer.read(1) == b""
        assert not both.consumer.arm()


def test_half_close() -> None:
    with sides() as both:
        both.producer.close()
        assert read_all(both.consumer) == b""
        both.back_producer.write(b"still there")
        assert both.back_consumer.read(100) == b"still there"


def test_a_writer_learns_at_once_that_nobody_reads() -> None:
    with sides() as both:
        both.consumer.close()
        with pytest.raises(BrokenPipeError) as caught:
            both.producer.write(b"x")
        assert caught.value.errno == errno.EPIPE


@pytest.mark.parametrize("full", [False, True])
def test_a_sleeping_writer_learns_that_nobody_reads(full: bool) -> None:
    with sides() as both:
        both.producer.write(b"x" * (64 if full else 40))
        assert both.producer.arm()
        both.consumer.close()
        assert rung(both.producer)
        for _ in range(2):
            with pytest.raises(BrokenPipeError):
                both.producer.write(b"x")
        assert not both.producer.arm()


def test_reading_on_when_the_writer_that_waits_is_gone() -> None:
    with sides() as both:
        both.producer.write(b"x" * 64)
        both.producer.arm()
        both.producer.close()
        assert read_all(both.consumer) == b"x" * 64


def test_a_closed_end_is_closed() -> None:
    with sides() as both:
        for end in (both.producer, both.consumer):
            end.close()
            end.close()
            with pytest.raises(ValueError, match="closed"):
                end.fileno()


def test_a_forked_child_that_closes_its_copies_changes_nothing() -> None:
    with sides() as both:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            both.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert words(both.consumer)[CONSUMER_WAITING] == 0
        both.producer.write(b"x")
        assert both.consumer.read(9) == b"x"


# Nonsense in the memory


@pytest.fixture
def both() -> Iterator[Sides]:
    with sides(64, start=100) as made:
        made.producer.write(b"x" * 10)
        assert made.consumer.read(4) == b"xxxx"
        yield made


@pytest.mark.parametrize("tail", [103, 0, 104 + 65, (1 << 64) - 1])
def test_a_reader_refuses_counters_that_make_no_sense(tail: int, both: Sides) -> None:
    words(both.producer)[TAIL] = tail
    assert not both.consumer.arm()
    assert both.consumer.ready()
    with pytest.raises(ProtocolError) as caught:
        both.consumer.read(1)
    assert caught.value.reason == f"the ring of requests is corrupt: head 104, tail {tail}, capacity 64"
    assert caught.value.offset == 104


@pytest.mark.parametrize("head", [111, 110 - 65, (1 << 64) - 1])
def test_a_writer_refuses_counters_that_make_no_sense(head: int, both: Sides) -> None:
    words(both.consumer)[HEAD] = head
    assert not both.producer.arm()
    with pytest.raises(ProtocolError) as caught:
        both.producer.write(b"x" * 64)
    assert caught.value.reason == f"the ring of requests is corrupt: head {head}, tail 110, capacity 64"


def test_capacities_in_the_memory_are_not_believed_later(both: Sides) -> None:
    both.consumer.memory.map[0x10:0x18] = b"\xff" * 8
    both.producer.write(b"y" * 58)
    assert both.consumer.read(1000) == b"x" * 6 + b"y" * 58
