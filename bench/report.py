# SPDX-License-Identifier: MIT
"""report - medians of what bench/run wrote, as text and as Markdown."""
import statistics

FIRST = "belay"
TITLES = {"belay": "Belay", "go": "Go", "tokio": "tokio", "glib": "GLib",
          "stop_token": "stop_token", "fiber": "Boost.Fiber", "pthread": "threads"}
UNSTEADY = 0.25
TIMES = ("ns", "us", "ms")
RATE, SHARE = "1/s", "%"  # the only units in which less is not cheaper
COUNTERS = ("switches", "parks", "steals", "kicks", "sleeps", "spins")
COUNTED = "What Belay's scheduler did for each 1,000 of these"


def steps(most):
    """1, 2, 4, ... and most itself."""
    found = [x for x in (1 << i for i in range(most.bit_length())) if x < most]
    return found + [most]


def title_of(peer):
    return TITLES.get(peer, peer)


def groups_of(result):
    return list(dict.fromkeys(work["group"] for work in result["works"]))


def peers_of(works):
    """Who has a figure or a curve, in the order in which they were measured."""
    found = {}
    for work in works:
        found |= dict.fromkeys(work["figures"]) | dict.fromkeys(work["curves"])
    return sorted(found, key=lambda peer: peer != FIRST)


def works_of(result, group):
    return [work for work in result["works"] if work["group"] == group]


def rounds_of(work, peer, shown):
    """All rounds of a FIGURE, or of CURVE@X; empty where the peer has none."""
    name, _, x = shown.partition("@")
    if not x:
        return work["figures"].get(peer, {}).get(name, [])
    points = work["curves"].get(peer, {}).get(name, {})
    return points.get(max(points, key=int) if points and x == "last" else x, [])


def rows_of(works):
    """(title, unit, clock, {peer: rounds}) of each figure that somebody has."""
    for work in works:
        for shown, title in work["shown"].items():
            rounds = {peer: rounds_of(work, peer, shown) for peer in peers_of(works)}
            rounds = {peer: r for peer, r in rounds.items() if r}
            if rounds:
                unit = work.get("units", {}).get(shown, work["unit"])
                yield title, unit, work["clock"], rounds


def curves_of(works):
    """(description, unit, {peer: {x: median}}) of each curve that somebody has."""
    for work in works:
        for name, described in work["shown_curves"].items():
            medians = {}
            for peer, curves in work["curves"].items():
                if name in curves:
                    medians[peer] = {int(x): statistics.median(r) for x, r in curves[name].items()}
            if medians:
                yield described, work["unit"], medians


# ---- One cell


def number(value):
    """Three figures that mean something."""
    if abs(value) < 0.05:
        return "0"
    if abs(value) < 100:
        return f"{value:.1f}"
    return f"{value:,.0f}"


def unsteady(rounds):
    """Whether the middle half of the rounds lies too far apart to take the median for granted."""
    if len(rounds) < 4:
        return False
    low, middle, high = statistics.quantiles(rounds, n=4, method="inclusive")
    return high - low > UNSTEADY * middle > 0


def ratio(rounds, peer):
    """How often a peer's median holds Belay's; None where that says nothing."""
    if peer == FIRST or peer not in rounds or FIRST not in rounds:
        return None
    own, other = statistics.median(rounds[FIRST]), statistics.median(rounds[peer])
    return other / own if number(own) != "0" and other > 0 else None


def cost_ratio(unit, rounds, peer):
    """How often what Belay does costs a peer the same: of a rate, in the time that is left for
    each; None where that says nothing."""
    times = ratio(rounds, peer)
    if times is None or unit == SHARE:
        return None
    return 1 / times if unit == RATE else times


def cell(rounds, peer, unit=None):
    """A peer's median, its ratio to Belay's unless it is a share; "~": the rounds differ much."""
    if peer not in rounds:
        return ""
    text = ("~" if unsteady(rounds[peer]) else "") + number(statistics.median(rounds[peer]))
    times = ratio(rounds, peer)
    if times is None or unit == SHARE:
        return text
    return f"{text} ({times:.2g}x)" if times < 99.5 else f"{text} ({times:,.0f}x)"


# ---- Tables


def table_of(works):
    """Rows of cells, the heading first; none at all where no figure is shown."""
    peers, rows = peers_of(works), list(rows_of(works))
    if not rows:
        return
    yield ["", "unit", *map(title_of, peers)]
    for title, unit, clock, rounds in rows:
        star = "*" if clock == "wall" and unit in TIMES else ""
        yield [title, unit + star, *(cell(rounds, p, unit) for p in peers)]


def curve_table(described, medians):
    peers = sorted(medians, key=lambda peer: peer != FIRST)
    yield [described["x"], *map(title_of, peers)]
    for x in sorted({x for points in medians.values() for x in points}):
        yield [f"{x:,}", *(number(medians[p][x]) if x in medians[p] else "" for p in peers)]


def counter_table(works):
    """Rows of cells, the heading first, for the works of which Belay's programs tell them."""
    rows = []
    for work in works:
        counted = [rounds_of(work, FIRST, name) for name in COUNTERS]
        if all(counted):
            title = next(iter(work["shown"].values()))
            rows.append([title, *(number(statistics.median(rounds)) for rounds in counted)])
    return [["", *COUNTERS], *rows] if rows else []


def machine_of(result):
    machine = result["machine"]
    return (f"{machine['cpu']}, {machine['processors']} processors, {machine['memory_gib']} GiB, "
            f"Linux {machine['kernel']}")


def notes_of(result):
    """Who was absent, who lacks what, and what failed."""
    for group, gone in result["absent"].items():
        yield f"{group}: absent: {', '.join(map(title_of, gone))}"
    for group, lacks in result["lacks"].items():
        for peer, works in sorted(lacks.items()):
            yield f"{group}: {title_of(peer)} lacks: {', '.join(works)}"
    for what, why in result["failed"].items():
        yield f"failed: {what}: {why}"


# ---- As text


def columns(rows):
    """As wide as they must be; all but the first to the right."""
    widths = [max(map(len, cells)) for cells in zip(*rows)]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        yield "  ".join(cells).rstrip()


def as_text(result):
    parts = [f"{machine_of(result)}; medians of {result['rounds']} rounds by turns"]
    for group in groups_of(result):
        works = works_of(result, group)
        parts += ["", f"== {result['titles'][group]}"] + list(columns(list(table_of(works))))
        for described, unit, medians in curves_of(works):
            parts += ["", f"{described['title']}, {unit}"]
            parts += columns(list(curve_table(described, medians)))
        counted = counter_table(works)
        if counted:
            parts += ["", COUNTED, *columns(counted)]
    parts += ["", "*  by the clock on the wall; else processor time of the whole process",
              f"~  the middle half of the rounds differs by more than {UNSTEADY:.0%}"]
    return "\n".join(parts + list(notes_of(result)))


# ---- As Markdown


def markdown_table(rows):
    if not rows:
        return
    head, *body = rows
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    for row in body:
        yield "| " + " | ".join(text.replace("|", "\\|").replace("*", "\\*") for text in row) + " |"


def versions_of(result):
    for name, version in result["peers"].items():
        if version:
            yield f"- {TITLES.get(name, name)}: {version}"


def as_markdown(result, pictures):
    """pictures: {group: [(file, what it shows)]}."""
    parts = [f"Taken on {result['started'][:10]}: {machine_of(result)}; medians of "
             f"{result['rounds']} rounds. "
             f"When it began, {result['machine']['load']:.1f} others wanted a processor.", "",
             *versions_of(result)]
    for group in groups_of(result):
        works = works_of(result, group)
        parts += ["", f"### {result['titles'][group]}", ""]
        parts += [f"![{shows}]({file})\n" for file, shows in pictures.get(group, [])]
        parts += markdown_table(list(table_of(works)))
        for described, unit, medians in curves_of(works):
            parts += ["", f"{described['title']}, {unit}:", ""]
            parts += markdown_table(list(curve_table(described, medians)))
        counted = counter_table(works)
        if counted:
            parts += ["", COUNTED + ":", "", *markdown_table(counted)]
    notes = list(notes_of(result))
    return "\n".join(parts + ([""] + [f"- {note}" for note in notes] if notes else [])) + "\n"
