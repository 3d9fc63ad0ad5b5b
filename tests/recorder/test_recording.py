"""The file format of recordings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plugsvc.recorder.recording import RecordingError, RecordingWriter, read_recording


def written(path: Path) -> bytes:
    recording = RecordingWriter(path)
    recording.begin(["plugin", "--host", "stdio:"], {"host": "stdio", "plugin": "fd"})
    recording.event("open", side="host")
    recording.data(">", bytes(range(256)))
    recording.data("<", b"")
    recording.event("eof", direction=">")
    recording.event("exit", status=3)
    recording.close()
    return path.read_bytes()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    written(path)
    events = list(read_recording(path))
    assert [event.kind for event in events] == ["header", "open", "data", "data", "eof", "exit"]
    assert events[0].fields["command"] == ["plugin", "--host", "stdio:"]
    assert events[0].fields["transports"] == {"host": "stdio", "plugin": "fd"}
    assert (events[2].direction, events[2].data) == (">", bytes(range(256)))
    assert (events[4].direction, events[5].fields) == (">", {"status": 3})
    assert [event.at for event in events] == sorted(event.at for event in events)


def test_a_recording_that_is_cut_off_anywhere_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    whole = written(path)
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        assert len(list(read_recording(path))) == whole[:size].count(b"\n")


def test_two_connections_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    written(path)
    written(path)
    assert [len([e for e in read_recording(path) if e.connection == name]) for name in
            {event.connection for event in read_recording(path)}] == [6, 6]  # fmt: skip


def test_a_recording_is_for_its_user_only(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    written(path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[]\n", "line 1: not an event of a recording: b'[]\\n'"),
        (b'{"connection":"a","at":1,"event":"data","data":"?"}\n', "line 1: not an event of a recording"),
        (b'{"connection":"a","at":1,"event":"header","version":2}\n', "line 1: version 2, expected 1"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(text)
    with pytest.raises(RecordingError) as caught:
        list(read_recording(path))
    assert message in str(caught.value)


def test_a_full_disk_makes_the_recording_incomplete_and_says_so() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    recording = RecordingWriter("/dev/full")
    recording.data(">", b"x")
    assert recording.problem == "/dev/full: No space left on device"
    recording.close()
