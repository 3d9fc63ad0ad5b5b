"""A recording as plain text."""

from __future__ import annotations

from plugsvc.recorder.recording import Event
from plugsvc.recorder.show import show_lines

CALL = b'{"sequence":1,"type":"call","namespace":"n","name":"add","args":[1,2]}'
REPLY = b'{"sequence":1,"reply":[3]}'


def events(*rows: tuple[float, str, str, bytes]) -> list[Event]:
    return [Event("abcdef", 10 + at, kind, direction, data) for at, kind, direction, data in rows]


def test_a_reply_says_what_it_answers_and_how_long_it_took() -> None:
    rows = events((0, "header", "", b""), (0.5, "data", ">", CALL + b"\n"), (0.50125, "data", "<", REPLY))
    assert list(show_lines(rows)) == [
        "abcd  0.000000 ! header",
        f"abcd  0.500000 > {CALL.decode()}",
        f"abcd  0.501250 < [add, 1.250 ms] {REPLY.decode()}",
    ]


def test_pieces_are_one_message_and_one_piece_may_hold_several() -> None:
    pieces = [(0.0, "data", ">", bytes([byte])) for byte in CALL]
    rows = events(*pieces, (1, "data", "<", REPLY + b" " + REPLY))
    shown = list(show_lines(rows))
    assert [line[15] for line in shown] == [">", "<", "<"]
    assert shown[2].endswith("< [no request is waiting] " + REPLY.decode())


def test_what_is_no_message_is_shown_with_the_reason() -> None:
    shown = list(show_lines(events((0, "data", ">", b'{"a":NaN}\n'), (1, "data", ">", b"more"))))
    assert shown[0].startswith("abcd  0.000000 > MALFORMED (")
    assert shown[0].endswith('{"a":NaN}\\n')
    assert shown[1].endswith(": more")


def test_what_is_unfinished_comes_last() -> None:
    assert list(show_lines(events((0, "data", "<", REPLY[:5])))) == ['             < unfinished: {"seq']


def test_ends_have_words_and_long_lines_are_cut() -> None:
    rows = events((0, "eof", ">", b""), (0, "closed", "<", b""), (0, "data", "<", b'{"a":"%b"}' % (b"x" * 500)))
    shown = list(show_lines(rows, width=50))
    assert shown[0] == "abcd  0.000000 > the plugin has ended its writing"
    assert len(shown[2]) == 50
    assert shown[2].endswith("...")
