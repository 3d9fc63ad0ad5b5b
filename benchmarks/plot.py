"""One picture of a run, as SVG: small calls of each peer, and what a message costs by its size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from benchmarks.figures import Figures
from benchmarks.report import value_text
from benchmarks.works import SIZES, size_text

__all__ = ["draw"]

WIDTH, BAR, LEFT, RIGHT, TOP = 860, 22, 300, 90, 40
PANEL = 330
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2")
BARS = (("small", "one caller, small calls: time of a call"), ("threads", "16 callers, threads: time for each call"))
LINES = ("plugsvc", "pieces", "go", "pipes")


def draw(figures: Figures, titles: Mapping[str, str]) -> str:
    """Return the picture."""
    parts: list[str] = []
    y = 0.0
    for work, title in BARS:
        row = figures.figures.get(work, {})
        if row:
            values = sorted((figure.median, titles.get(peer, peer), peer) for peer, figure in row.items())
            parts += _bars(title, values, y)
            y += TOP + BAR * len(values) + 20
    lines = [(peer, _points(figures, peer)) for peer in LINES]
    drawn = [(titles.get(peer, peer), points) for peer, points in lines if len(points) > 1]
    if drawn:
        parts += _curves("a text there and back, by its size (both axes logarithmic)", drawn, y)
        y += PANEL + TOP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:.0f}" width="{WIDTH}" height="{y:.0f}"'
        ' font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, f'<rect width="{WIDTH}" height="{y:.0f}" fill="white"/>', *parts, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def _bars(title: str, values: Sequence[tuple[float, str, str]], top: float) -> Iterator[str]:
    """Horizontal bars, the scale logarithmic: who is ten times as slow is always the same distance off."""
    yield _text(10, top + 22, title, more=' font-weight="bold"')
    least = min(value for value, _, _ in values) / 2
    span = math.log(max(value for value, _, _ in values) / least)
    for index, (value, name, peer) in enumerate(values):
        y = top + TOP + BAR * index
        width = (WIDTH - LEFT - RIGHT) * math.log(value / least) / span
        colour = COLOURS[0] if peer.startswith("plugsvc") else "#aaaaaa"
        yield _text(LEFT - 8, y + 14, name, "end")
        yield f'<rect x="{LEFT}" y="{y:.1f}" width="{width:.1f}" height="{BAR - 5}" fill="{colour}"/>'
        yield _text(LEFT + width + 6, y + 14, value_text(value, "s"))


def _points(figures: Figures, peer: str) -> list[tuple[int, float]]:
    found = [(size, figures.get(f"echo-{size}", peer)) for size in SIZES]
    return [(size, figure.median) for size, figure in found if figure is not None]


def _curves(title: str, curves: Sequence[tuple[str, list[tuple[int, float]]]], top: float) -> Iterator[str]:
    yield _text(10, top + 22, title, more=' font-weight="bold"')
    sizes = [size for _, points in curves for size, _ in points]
    times = [time for _, points in curves for _, time in points]
    first, last = math.log10(min(sizes)), math.log10(max(sizes))
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    x0, x1, y0, y1 = 80, WIDTH - 230, top + PANEL, top + TOP

    def place(size: float, time: float) -> tuple[float, float]:
        across = (math.log10(size) - first) / (last - first)
        up = (math.log10(time) - low) / (high - low)
        return x0 + (x1 - x0) * across, y0 - (y0 - y1) * up

    for power in range(low, high + 1):
        _, y = place(min(sizes), 10.0**power)
        yield f'<line x1="{x0}" y1="{y:.1f}" x2="{x1}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield _text(x0 - 8, y + 4, value_text(10.0**power * 1.0000001, "s"), "end")
    for size in sorted(set(sizes)):
        x, _ = place(size, 10.0**low)
        yield _text(x, y0 + 18, size_text(size), "middle")
    for (name, points), colour in zip(curves, COLOURS, strict=False):
        path = " ".join("{:.1f},{:.1f}".format(*place(size, time)) for size, time in points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        x, y = place(*points[-1])
        yield _text(x + 8, y + 4, name, more=f' fill="{colour}"')
