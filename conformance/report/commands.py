"""The commands that work on reports: ``report``, ``diff`` and ``badge``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.outcomes import ExitCode
from conformance.report.badge import as_endpoint, as_svg
from conformance.report.compare import FORMATS, compare
from conformance.report.saved import ReportError, ReportFile, read_report


def _read(path: str) -> ReportFile:
    try:
        return read_report(path)
    except ReportError as error:
        raise click.UsageError(str(error)) from None


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="REPORT...")
@click.option("-o", "--output", required=True, metavar="F", help="The HTML file to write.")
@click.option("--title", default="Conformance report", show_default=True)
def report(files: tuple[str, ...], output: str, title: str) -> None:
    """Make one HTML page of JSON reports."""
    from conformance.report.html import as_html  # imports jinja2 and every case, which the other commands do not need

    _write(output, as_html([_read(file) for file in files], title))


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="text", show_default=True)
def diff(old: str, new: str, form: str) -> None:
    """Compare two JSON reports.

    Exit status: 0 nothing fails that did not fail before; 1 something does; 2 a file is no report.
    """
    found = compare(_read(old), _read(new))
    click.echo(FORMATS[form](found))
    sys.exit(ExitCode.NONCONFORMING if found.regressions else ExitCode.CONFORMS)


@click.command()
@click.argument("file", metavar="REPORT")
@click.option("--svg", metavar="F", help="Write an SVG image.")
@click.option("--endpoint", metavar="F", help="Write the JSON of a shields.io endpoint.")
def badge(file: str, svg: str | None, endpoint: str | None) -> None:
    """Make a badge of a JSON report; without options the SVG image goes to standard output."""
    made = _read(file)
    if svg:
        _write(svg, as_svg(made))
    if endpoint:
        _write(endpoint, as_endpoint(made))
    if not svg and not endpoint:
        click.echo(as_svg(made), nl=False)
