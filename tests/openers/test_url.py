"""What is a URL, and what it means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from plugsvc.errors import OpenError
from plugsvc.openers import check_count, parse_url, with_file_path, with_file_path_pair


@pytest.mark.parametrize(
    ("text", "scheme", "authority", "path"),
    [
        ("file:///a/b", "file", "", "/a/b"),
        ("file:/a/b", "file", None, "/a/b"),
        ("FILE:///a", "file", "", "/a"),
        ("file://localhost/a", "file", "localhost", "/a"),
        ("file:rel/a", "file", None, "rel/a"),
        ("file:///a%20b%25%3f%23", "file", "", "/a b%?#"),
        ("file:///%C3%A4ä", "file", "", "/ää"),
        ("file:///%ff", "file", "", "/\udcff"),
        ("file:///a%2Fb", "file", "", "/a/b"),
        ("file:///a+b c", "file", "", "/a+b c"),
        ("file:///a?x=1#y", "file", "", "/a"),
        ("file:///a#y?x=%zz", "file", "", "/a"),
        ("file:////a", "file", "", "//a"),
        ("fd:3", "fd", None, "3"),
        ("fd:3,4", "fd", None, "3,4"),
        ("unix-abstract:a%00b", "unix-abstract", None, "never"),
        ("tcp://127.0.0.1:80", "tcp", "127.0.0.1:80", ""),
        ("x+y.z-1:", "x+y.z-1", None, ""),
    ],
)
def test_parts(text: str, scheme: str, authority: str | None, path: str) -> None:
    if path == "never":
        with pytest.raises(OpenError, match="a path cannot contain"):
            parse_url(text)
        return
    url = parse_url(text)
    assert (url.text, url.scheme, url.authority, url.path) == (text, scheme, authority, path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' is not a URL: it has no scheme"),
        (":x", "':x' is not a URL: it has no scheme"),
        ("1a:x", "'1a:x' is not a URL: it has no scheme; for a path, use "),
        ("/a", "'/a' is not a URL: it has no scheme; for a path, use 'file:///a'"),
        (
            "file:///a%zz",
            "'file:///a%zz' is not a URL: '%zz' is not a percent-escape (a plain % is %25)",
        ),
        ("file:///a%2", "'file:///a%2' is not a URL: '%2' is not a percent-escape (a plain % is %25)"),
        ("file:///a\tb", "'file:///a\\tb' is not a URL: it contains the character '\\t'"),
        ("file:///a\n", "'file:///a\\n' is not a URL: it contains the character '\\n'"),
        ("file:///a%00", "'file:///a%00': a path cannot contain the character '\\x00'"),
        ("file:///\ud800", "'file:///\\ud800' is not a URL: it contains a lone surrogate"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(OpenError) as caught:
        parse_url(text)
    assert str(caught.value).startswith(reason)
    assert caught.value.url == text


@pytest.mark.parametrize(
    ("text", "query", "value"),
    [
        ("a:", "", None),
        ("a:?", "", None),
        ("a:#?x=1", "", None),
        ("a:?y=1", "y=1", None),
        ("a:?x=1", "x=1", "1"),
        ("a:?x=1#?x=2", "x=1", "1"),
        ("a:?y=2&x=a%20b%26c?/+&z", "y=2&x=a%20b%26c?/+&z", "a b&c?/+"),
        ("a:?x", "x", ""),
        ("a:?x=%C3%A4=%ff", "x=%C3%A4=%ff", "ä=\udcff"),
    ],
)
def test_query(text: str, query: str, value: str | None) -> None:
    url = parse_url(text)
    assert (url.query, url.parameter("x")) == (query, value)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("x=1&x=1", "'x' is given 2 times"),
        ("x=%zz", "'%zz' is not a percent-escape (a plain % is %25)"),
        ("x=a%00", "'x' cannot contain the character '\\x00'"),
    ],
)
def test_bad_query(query: str, reason: str) -> None:
    """It matters to nobody but the scheme that asks for it."""
    url = parse_url("a:?" + query)
    with pytest.raises(OpenError) as caught:
        url.parameter("x")
    assert str(caught.value) == reason


@given(st.text())
def test_any_text_is_a_url_or_an_open_error(text: str) -> None:
    try:
        url = parse_url(text)
    except OpenError:
        return
    assert text.lower().startswith(url.scheme + ":")


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_every_path_survives(name: bytes) -> None:
    flag, text = with_file_path(os.fsdecode(b"/" + name))
    assert flag == "--host"
    assert text.isascii()
    url = parse_url(text)
    assert (url.authority, os.fsencode(url.path)) == ("", b"/" + name)


def test_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert with_file_path("rel/p") == ["--host", f"file://{tmp_path}/rel/p"]
    assert with_file_path("../p") == ["--host", f"file://{tmp_path}/../p"]


def test_pair() -> None:
    assert with_file_path_pair(Path("/r"), "/w") == ["--host", "file:///r", "--host", "file:///w"]


def test_count() -> None:
    check_count(["a:"])
    check_count(["a:", "b:"])
    with pytest.raises(OpenError, match=r"^expected one or two URLs, got none$"):
        check_count([])
    with pytest.raises(OpenError) as caught:
        check_count(["a:"] * 3)
    assert str(caught.value) == "--host is given 3 times: give one duplex URL, or two, to read and to write"
