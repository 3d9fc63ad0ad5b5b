"""The one parser of URLs against what RFC 3986 and RFC 8089 say, by section."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from plugsvc.errors import OpenError
from plugsvc.openers import HOST_FLAG, open_stream, parse_url, with_file_path, with_file_path_pair

Reason = Callable[..., str]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        # RFC 3986, 1.1.2: examples.
        ("ftp://ftp.is.co.za/rfc/rfc1808.txt", ("ftp", "ftp.is.co.za", "/rfc/rfc1808.txt", "")),
        ("http://www.ietf.org/rfc/rfc2396.txt", ("http", "www.ietf.org", "/rfc/rfc2396.txt", "")),
        ("ldap://[2001:db8::7]/c=GB?objectClass?one", ("ldap", "[2001:db8::7]", "/c=GB", "objectClass?one")),
        ("mailto:John.Doe@example.com", ("mailto", None, "John.Doe@example.com", "")),
        ("news:comp.infosystems.www.servers.unix", ("news", None, "comp.infosystems.www.servers.unix", "")),
        ("tel:+1-816-555-1212", ("tel", None, "+1-816-555-1212", "")),
        ("telnet://192.0.2.16:80/", ("telnet", "192.0.2.16:80", "/", "")),
        (
            "urn:oasis:names:specification:docbook:dtd:xml:4.1.2",
            ("urn", None, "oasis:names:specification:docbook:dtd:xml:4.1.2", ""),
        ),
        # 3: the parts.
        ("foo://example.com:80/over/there?name=ferret#nose", ("foo", "example.com:80", "/over/there", "name=ferret")),
        ("urn:example:animal:ferret:nose", ("urn", None, "example:animal:ferret:nose", "")),
        # 3.1: a scheme's alphabet, and its case.
        ("a+b-c.1:x", ("a+b-c.1", None, "x", "")),
        ("HtTp://A/b", ("http", "A", "/b", "")),
        # 3.2: an authority ends at a slash, a question mark, a number sign, or the end; it may be empty.
        ("s://a?q", ("s", "a", "", "q")),
        ("s://a#f", ("s", "a", "", "")),
        ("s://a", ("s", "a", "", "")),
        ("s:///p", ("s", "", "/p", "")),
        ("s://", ("s", "", "", "")),
        ("s://user@h:1/", ("s", "user@h:1", "/", "")),
        ("s://h%41:1", ("s", "hA:1", "", "")),
        # 3.3: kinds of paths; what has no special meaning stays.
        ("s:", ("s", None, "", "")),
        ("s:/", ("s", None, "/", "")),
        ("s:a:b@c", ("s", None, "a:b@c", "")),
        ("s:/a//b/", ("s", None, "/a//b/", "")),
        ("s:/a;v=1,2!$&'()*+=", ("s", None, "/a;v=1,2!$&'()*+=", "")),
        # 3.4, 3.5: query and fragment may have slashes and question marks.
        ("s:p?a/b?c#d/e?f", ("s", None, "p", "a/b?c")),
        ("s:p?#", ("s", None, "p", "")),
        ("s:p#?q", ("s", None, "p", "")),
        # 5.2.4, 6.2.2.3: dot segments are not removed: through a symbolic link they lead elsewhere.
        ("s:/a/./b/../c", ("s", None, "/a/./b/../c", "")),
        # 2.1, 6.2.2: escapes, in either case, of what need not be escaped, and once only.
        ("s:%41%7a%7E%2D%5F", ("s", None, "Az~-_", "")),
        ("s:%2f%3F%23%25%3a", ("s", None, "/?#%:", "")),
        ("s:%2541", ("s", None, "%41", "")),
        # 2.5: UTF-8; written plainly it is taken as well, as spaces are.
        ("s:%E2%82%AC", ("s", None, "€", "")),
        ("s:€ 1\"<>\\^`{|}", ("s", None, "€ 1\"<>\\^`{|}", "")),
        # RFC 8089, 2 and appendix B.
        ("file:///path/to/file", ("file", "", "/path/to/file", "")),
        ("file:/path/to/file", ("file", None, "/path/to/file", "")),
        ("file://host.example.com/path/to/file", ("file", "host.example.com", "/path/to/file", "")),
        # RFC 8089, appendix E: letters of drives and network shares are paths like any other here.
        ("file:///c:/path/to/file", ("file", "", "/c:/path/to/file", "")),
        ("file:c|/path", ("file", None, "c|/path", "")),
        ("file:////host.example.com/path", ("file", "", "//host.example.com/path", "")),
    ],
)  # fmt: skip
def test_parts(text: str, parts: tuple[str, str | None, str, str]) -> None:
    url = parse_url(text)
    assert (url.scheme, url.authority, url.path, url.query) == parts
    assert url.text == text


@pytest.mark.parametrize(
    "text", ["//host/path", "path", "./this:that", "?q", "#f", "1s:x", "-s:x", "s_1:x", "ä:x", " s:x"]
)
def test_references_without_a_scheme(text: str) -> None:
    """RFC 3986, 4.2: relative references are no URLs."""
    with pytest.raises(OpenError, match="is not a URL: it has no scheme"):
        parse_url(text)


@pytest.mark.parametrize(
    "name", ["a b", "ä€", "%41", "a?b", "a#b", "a%b", "a+b&c=d;e", "a:b", "-", "~", "\udcff", "a\\b", "a\nb"]
)
def test_names_of_files_reach_their_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`with_file_path` and the opener mean the same file, from wherever the plugin runs."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(b"content")
    monkeypatch.chdir(tmp_path)
    relative, absolute = (with_file_path(path) for path in (f"in/{name}", tmp_path / "in" / name))
    pair = with_file_path_pair(f"in/{name}", os.devnull)
    assert pair == [*absolute, HOST_FLAG, "file:///dev/null"]
    assert relative == absolute
    monkeypatch.chdir("/")
    duplex = open_stream(pair[1::2])
    assert duplex.reader.read(100) == b"content"
    duplex.close()


@pytest.mark.parametrize(
    "spelling",
    ["file://{}", "file:{}", "file://localhost{}", "FILE://LOCALHOST{}", "File:{}", "file://{}?query#fragment",
     "file://{}#f?g=%zz", "file:///{}"],
)  # fmt: skip
def test_spellings_of_the_same_file(spelling: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"content")
    duplex = open_stream([spelling.format(tmp_path / "f"), "file:///dev/null"])
    assert duplex.reader.read(100) == b"content"
    duplex.close()


@pytest.mark.parametrize("host", ["host.example.com", "127.0.0.1", "[::1]", "localhost:80", "u@localhost", "a%20b"])
def test_hosts_of_files(host: str, reason: Reason) -> None:
    """RFC 8089, 2: a file on another host is not here."""
    told = host.replace("%20", " ")
    assert reason(f"file://{host}/f") == (
        f"it names the host {told!r}, a local file has none (was a relative path meant?)"
    )


def test_a_second_registration_says_nothing_on_standard_output() -> None:
    """That may be the protocol's. Whoever does not expect the error has it on standard error, and the program ends."""
    program = """
import plugsvc
plugsvc.register_file_opener("mine", lambda url, mode, deadline: 0)
try:
    plugsvc.register_file_opener("MINE", lambda url, mode, deadline: 0)
except plugsvc.RegistrationError as error:
    pass
plugsvc.register_file_opener("tcp", lambda url, mode, deadline: 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("plugsvc.errors.RegistrationError: scheme 'tcp' has an opener already\n")
