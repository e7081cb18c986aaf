"""The plot of `growth`, as an SVG of a few lines: no library, and colours that are read on light and dark alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Any

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 360, 70, 50, 30
INK, LINE = "#7d8590", "#2f81f7"


def growth(figures: Mapping[str, Json]) -> str:
    """CPU seconds of a sweep over record sets, both logarithmic, from the figures `cpu_..._s` of the scenario."""
    points = [(_size(name), entry["value"]) for name, entry in figures.items() if name.startswith("cpu_")]
    low = 10 ** math.floor(math.log10(min(y for _, y in points)))
    high = 10 ** math.ceil(math.log10(max(y for _, y in points)))

    def at(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / points[0][0]) / math.log(points[-1][0] / points[0][0])
        up = math.log(y / low) / math.log(high / low)
        return LEFT + 30 + across * (WIDTH - LEFT - 90), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP)

    first, last = points[0], points[-1]
    linear = (last[0], first[1] * last[0] / first[0])
    parts = [_line(at(*first), at(*linear), f'stroke="{INK}" stroke-dasharray="4 4"')]
    decades = range(round(math.log10(low)), round(math.log10(high)) + 1)
    for decade in decades:
        _, y = at(first[0], 10.0**decade)
        parts.append(_line((LEFT, y), (WIDTH - 20, y), f'stroke="{INK}" stroke-opacity="0.3"'))
        parts.append(_text(LEFT - 8, y + 4, f"{10.0**decade:g} s", "end"))
    for x, y in points:
        across, up = at(x, y)
        parts.append(_text(across, HEIGHT - BOTTOM + 20, f"{x:,}", "middle"))
        parts.append(_text(across, up - 10, f"{y:.3g} s", "middle"))
        parts.append(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="4" fill="{LINE}"/>')
    path = " ".join(f"{across:.1f},{up:.1f}" for across, up in (at(*point) for point in points))
    parts.append(f'<polyline points="{path}" fill="none" stroke="{LINE}" stroke-width="2"/>')
    parts.append(_text((LEFT + WIDTH) / 2, HEIGHT - 8, "record sets (dashed: proportional growth)", "middle"))
    parts.append(_text(LEFT, 16, "CPU of a warm sweep without drift", "start"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
    return "\n".join([f'{head} font-size="13">', *parts, "</svg>", ""])


def _size(name: str) -> int:
    """`cpu_25k_s` is about 25,000 record sets."""
    return int(name.split("_")[1].removesuffix("k")) * 1000


def _line(start: tuple[float, float], end: tuple[float, float], style: str) -> str:
    return f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" {style}/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" text-anchor="{anchor}">{text}</text>'
