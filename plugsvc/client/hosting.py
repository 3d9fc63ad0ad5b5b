"""Whether a host started this process, and by which URLs.

The host puts `--host URL` on the command line, once or twice. A program whose parser knows the flag
(`add_host_flags`, `host_option`) records what the parser found. For a program without one, and before it has
parsed, the command line is searched for `--host URL` and `--host=URL`, up to a lone `--`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import MisuseError, OpenError
from ..imports import importing
from ..openers import HOST_FLAG, check_count

if TYPE_CHECKING:
    import argparse

    import click

__all__ = ["add_host_flags", "forget_urls", "host_option", "host_urls", "record_urls"]

F = TypeVar("F", bound=Callable[..., Any])

HELP = "URL of the host's services: one for both directions, or two, to read and to write."

_recorded: list[str] = []


def host_urls() -> list[str]:
    """Return the URLs by which the host can be reached; none when no host started this process."""
    return list(_recorded) or _scan(sys.argv[1:])


def record_urls(urls: Sequence[str]) -> None:
    """Note the URLs that a command line parser found; none leaves things as they are."""
    if urls:
        _recorded[:] = urls


def forget_urls() -> None:
    """Forget what was recorded."""
    _recorded.clear()


def _scan(arguments: Sequence[str]) -> list[str]:
    urls: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            break
        if argument == HOST_FLAG:
            urls.extend(value for value in [next(rest, None)] if value is not None)
        elif argument.startswith(HOST_FLAG + "="):
            urls.append(argument[len(HOST_FLAG) + 1 :])
    return urls


def add_host_flags(parser: argparse.ArgumentParser) -> None:
    """Add the option `--host URL` to an argparse parser.

    What it parses decides whether the program is hosted. More than two URLs are an error of the command line.
    """
    with importing():
        import argparse

    class Host(argparse.Action):
        def __call__(
            self,
            parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            values: Any,
            option_string: str | None = None,
        ) -> None:
            urls = [*(getattr(namespace, self.dest, None) or ()), values]
            try:
                check_count(urls)
            except OpenError as error:
                parser.error(str(error))
            setattr(namespace, self.dest, urls)
            record_urls(urls)

    parser.add_argument(HOST_FLAG, action=Host, metavar="URL", default=[], help=HELP)


def host_option(command: F) -> F:
    """Add the option `--host URL` to a click command; a decorator below `@click.command()`.

    What it parses decides whether the program is hosted; the command's function does not get it as a
    parameter. More than two URLs are an error of the command line. Raises `MisuseError` where click is not
    installed.
    """
    try:
        with importing():
            import click
    except ImportError:
        raise MisuseError("host_option needs the package click, which is not installed")

    def record(context: click.Context, parameter: click.Parameter, urls: tuple[str, ...]) -> tuple[str, ...]:
        if urls:
            try:
                check_count(urls)
            except OpenError as error:
                raise click.BadParameter(str(error), context, parameter)
            record_urls(urls)
        return urls

    option = click.option(
        HOST_FLAG, metavar="URL", multiple=True, is_eager=True, expose_value=False, callback=record, help=HELP
    )
    return option(command)
