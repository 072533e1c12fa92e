"""What is printed."""

import math


def table(head, rows):
    """Rows under a head, as wide as needed; the first column is words, the others are numbers."""
    rows = [head, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def number(value):
    """Three digits that matter, and thousands apart."""
    if value is None or not math.isfinite(value):
        return "-"
    size = abs(value)
    if size < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if size < 100 else f"{value:,.0f}"


class Goals:
    """What the project promised, and what came of it."""

    def __init__(self):
        self.rows = []

    def at_most(self, what, goal, found, unit):
        # Where nothing was measured nothing is claimed.
        if found is not None:
            met = "met" if found <= goal else "MISSED"
            self.rows.append([what, f"at most {number(goal)}{unit}", f"{number(found)}{unit}", met])

    def __str__(self):
        if not self.rows:
            return "  nfa was not measured: nothing to judge\n"
        return table(["", "goal", "measured", ""], self.rows)
