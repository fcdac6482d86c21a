# SPDX-License-Identifier: MIT
"""picture - what was measured, as SVG that a reader of a light or a dark page can read.

Peers differ in colour and in the shape of their mark, so that colour alone tells nothing.
"""
import math
from xml.sax.saxutils import escape

import report

STYLE = """
svg { --paper: #ffffff; --ink: #1f2328; --faint: #59636e; --rule: #d9dee3;
      --c0: #0969da; --c1: #1a7f37; --c2: #bc4c00; --c3: #8250df; --c4: #9a6700; --c5: #bf3989; }
@media (prefers-color-scheme: dark) {
svg { --paper: #0d1117; --ink: #e6edf3; --faint: #9198a1; --rule: #2b323b;
      --c0: #58a6ff; --c1: #3fb950; --c2: #ff8f4a; --c3: #bc8cff; --c4: #d8ab2e; --c5: #f778ba; } }
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
  fill: var(--ink); }
.faint { fill: var(--faint); font-size: 11px; }
.title { font-weight: 600; font-size: 13px; }
.rule { stroke: var(--rule); } .one { stroke: var(--c0); stroke-width: 1.5; }
.curve { fill: none; stroke-width: 1.75; }
"""
COLOURS = 6


def colour(i):
    return f"var(--c{i % COLOURS})"


def mark(x, y, i):
    """The i-th peer's: circle, square, diamond, triangle, again."""
    paint = f'fill="{colour(i)}" stroke="var(--paper)"'
    corners = [None, [(-4, -4), (4, -4), (4, 4), (-4, 4)],
               [(0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)],
               [(0, -5.5), (5, 4), (-5, 4)], [(0, 5.5), (5, -4), (-5, -4)]][i % 5]
    if not corners:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" {paint}/>'
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}" {paint}/>'


def text(x, y, what, style="", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">'
            f'{escape(what)}</text>')


def line(x1, y1, x2, y2, style="rule"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def document(width, height, title, parts):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" '
        f'width="{width}" height="{height:.0f}" role="img">', f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>", '<rect width="100%" height="100%" rx="6" fill="var(--paper)"/>',
        *parts, "</svg>", ""])


def legend(peers, x, y):
    for i, peer in enumerate(peers):
        yield mark(x, y - 4, i)
        yield text(x + 10, y, report.title_of(peer))
        x += 40 + 7 * len(report.title_of(peer))


class Axis:
    """From numbers to places; by powers of ten, or evenly."""

    def __init__(self, values, start, end, even=False):
        self.even, self.start, self.end = even, start, end
        self.low, self.high = min(values), max(values)
        if not even:
            self.low = 10 ** math.floor(math.log10(self.low) + 1e-9)
            self.high = max(10 ** math.ceil(math.log10(self.high) - 1e-9), self.low * 10)
        elif self.low == self.high:
            self.low, self.high = self.low - 1, self.high + 1

    def __call__(self, value):
        place = float if self.even else math.log10
        share = (place(value) - place(self.low)) / (place(self.high) - place(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self, values):
        if self.even:
            return sorted(values)
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        return [10 ** i for i in range(first, last + 1)]


def short(value):
    """1000000 as 1M."""
    for unit, name in ((10**6, "M"), (10**3, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


# ---- What others cost where Belay costs 1


def operations(works, title):
    """A row a figure, a mark a peer, at its ratio to Belay. None: there is nothing to compare."""
    peers = report.peers_of(works)
    rows = []
    for name, unit, _, rounds in report.rows_of(works):
        times = {peer: report.cost_ratio(unit, rounds, peer) for peer in peers}
        times = {peer: t for peer, t in times.items() if t is not None}
        if times:
            rows.append((name, times))
    if not rows:
        return None
    left, right, top, step = 350, 800, 78, 23
    axis = Axis([t for _, times in rows for t in times.values()] + [1], left, right - 34)
    bottom = top + step * len(rows)
    parts = [text(16, 26, f"{title}: cost in multiples of Belay's", "title"),
             *legend(peers, 22, 48),
             text(right - 20, 48, "further right is dearer", "faint", "end")]
    for tick in axis.ticks([]):
        parts += [line(axis(tick), top - 8, axis(tick), bottom, "one" if tick == 1 else "rule"),
                  text(axis(tick), bottom + 16, f"{short(tick)}×", "faint", "middle")]
    for i, (name, times) in enumerate(rows):
        y = top + step * i + step / 2
        parts += [text(left - 14, y, name, "", "end"), mark(axis(1), y - 4, 0)]
        parts += [mark(axis(t), y - 4, peers.index(peer)) for peer, t in times.items()]
    return document(right, bottom + 30, f"{title}: cost in multiples of Belay's", parts)


# ---- How cost grows


def panel(left, top, described, unit, medians, peers):
    """One curve each, cost upwards by powers of ten."""
    xs = sorted({x for points in medians.values() for x in points})
    ys = [y for points in medians.values() for y in points.values()]
    across = Axis(xs, left + 46, left + 372, even=max(xs) <= 64)
    up = Axis(ys, top + 196, top + 30)
    yield text(left + 8, top + 14, f"{described['title']}, {unit}", "title")
    for tick in up.ticks(ys):
        yield line(left + 46, up(tick), left + 372, up(tick))
        yield text(left + 40, up(tick) + 4, short(tick), "faint", "end")
    for tick in across.ticks(xs):
        yield text(across(tick), top + 213, short(tick), "faint", "middle")
    yield text(left + 209, top + 230, described["x"], "faint", "middle")
    for peer, points in medians.items():
        i = peers.index(peer)
        places = [(across(x), up(y)) for x, y in sorted(points.items())]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline points="{path}" class="curve" stroke="{colour(i)}"/>'
        yield from (mark(x, y, i) for x, y in places)


def growth(works, title):
    """A panel a curve, two side by side. None where there is none."""
    peers, curves = report.peers_of(works), list(report.curves_of(works))
    if not curves:
        return None
    parts = [text(16, 26, f"{title}: how the cost grows", "title"), *legend(peers, 22, 48)]
    for i, (described, unit, medians) in enumerate(curves):
        parts += panel(8 + 392 * (i % 2), 66 + 250 * (i // 2), described, unit, medians, peers)
    height = 66 + 250 * ((len(curves) + 1) // 2)
    return document(800, height, f"{title}: how the cost grows", parts)
