"""Medians: one noisy round must not decide."""

import statistics


def median(values):
    values = list(values)
    return statistics.median(values) if values else float("nan")


def ratio(numerators, denominators):
    """The median of the rounds' own ratios: a slow minute slows both sides of each."""
    return median(above / below for above, below in zip(numerators, denominators) if below)


def slope(points):
    """How much y grows for each x, by least squares."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
