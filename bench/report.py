# SPDX-License-Identifier: MIT
"""report - medians of what bench/run wrote, as text and as Markdown."""
import statistics

FIRST = "belay"


def steps(most):
    """1, 2, 4, ... and most itself."""
    found = [x for x in (1 << i for i in range(most.bit_length())) if x < most]
    return found + [most]


def peers_of(result):
    """In the order in which they were measured."""
    found = {}
    for work in result["works"]:
        found |= dict.fromkeys(work["figures"]) | dict.fromkeys(work["curves"])
    return list(found)


def rounds_of(work, peer, shown):
    """All rounds of a FIGURE, or of CURVE@X; empty where the peer has none."""
    name, _, x = shown.partition("@")
    if not x:
        return work["figures"].get(peer, {}).get(name, [])
    points = work["curves"].get(peer, {}).get(name, {})
    return points.get(max(points, key=int) if points and x == "last" else x, [])


def rows_of(result):
    """(group, title, unit, clock, {peer: median}) of each figure that somebody has."""
    for work in result["works"]:
        for shown, title in work["shown"].items():
            rounds = {peer: rounds_of(work, peer, shown) for peer in peers_of(result)}
            medians = {peer: statistics.median(r) for peer, r in rounds.items() if r}
            if medians:
                yield work["group"], title, work["unit"], work["clock"], medians


def curves_of(result):
    """(group, curve's description, unit, {peer: {x: median}}) of each curve that somebody has."""
    for work in result["works"]:
        for name, described in work["shown_curves"].items():
            medians = {}
            for peer, curves in work["curves"].items():
                if name in curves:
                    medians[peer] = {int(x): statistics.median(r) for x, r in curves[name].items()}
            if medians:
                yield work["group"], described, work["unit"], medians


def number(value):
    """Three figures that mean something."""
    if abs(value) < 0.05:
        return "0"
    if abs(value) < 100:
        return f"{value:.1f}"
    return f"{value:,.0f}"


def cell(medians, peer):
    """A peer's median, and how often it holds Belay's."""
    if peer not in medians:
        return ""
    text, own = number(medians[peer]), medians.get(FIRST, 0)
    if peer == FIRST or number(own) == "0" or medians[peer] <= 0:
        return text
    return f"{text} ({medians[peer] / own:.2g}x)" if medians[peer] / own < 99.5 else \
        f"{text} ({medians[peer] / own:,.0f}x)"


def lines_of(rows):
    """Columns as wide as they must be; all but the first to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        yield "  ".join(cells).rstrip()


def table_of(result):
    peers = peers_of(result)
    yield ["", "unit", *peers]
    for _, title, unit, clock, medians in rows_of(result):
        yield [title, unit + ("*" if clock == "wall" else ""), *(cell(medians, p) for p in peers)]


def curve_table(described, unit, medians):
    peers = list(medians)
    yield [described["x"], *peers]
    for x in sorted({x for points in medians.values() for x in points}):
        yield [f"{x:,}", *(number(medians[p][x]) if x in medians[p] else "" for p in peers)]


def notes_of(result):
    """What stands below: clocks, who was absent, what failed."""
    yield "* by the clock on the wall; else processor time of the whole process"
    for group, gone in result["absent"].items():
        yield f"{group}: absent: {', '.join(gone)}"
    for what, why in result["failed"].items():
        yield f"failed: {what}: {why}"


def as_text(result):
    machine = result["machine"]
    parts = [f"{machine['cpu']}, {machine['processors']} processors, Linux {machine['kernel']}; "
             f"medians of {result['rounds']} rounds by turns", ""]
    parts += lines_of(list(table_of(result)))
    for _, described, unit, medians in curves_of(result):
        parts += ["", f"{described['title']}, {unit}"]
        parts += lines_of(list(curve_table(described, unit, medians)))
    return "\n".join(parts + [""] + list(notes_of(result)))
