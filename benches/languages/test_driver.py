"""The bench's own arithmetic, and the bench from end to end: python3 -m unittest discover benches/languages

What it measures there means nothing: the counts are too small, and only what is installed is measured.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

from driver import statistics, tables


class Arithmetic(unittest.TestCase):
    def test_a_ratio_is_the_median_of_the_rounds_own(self):
        # In the slow second round both were slow: it says the same as the others.
        self.assertEqual(statistics.ratio([2, 20, 2], [1, 10, 1]), 2)

    def test_a_slope_is_what_each_run_adds(self):
        self.assertEqual(statistics.slope([(0, 100), (10, 150), (20, 200)]), 5)
        self.assertEqual(statistics.slope([(0, 100), (10, 100), (20, 100)]), 0)

    def test_numbers_are_short(self):
        for value, text in [(1.234, "1.23"), (12.34, "12.3"), (1234.5, "1,234"), (-0.5, "-0.50"), (None, "-")]:
            self.assertEqual(tables.number(value), text)

    def test_a_missed_goal_says_so(self):
        goals = tables.Goals()
        goals.at_most("a", 1, 0.9, " ms")
        goals.at_most("b", 1, 1.1, " ms")
        verdicts = [line.split()[-1] for line in str(goals).splitlines()[1:]]
        self.assertEqual(verdicts, ["met", "MISSED"])


def bench(*arguments):
    command = [sys.executable, HERE / "bench.py", *arguments]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=900)


class EndToEnd(unittest.TestCase):
    def test_every_part_measures_nfa_and_the_floors(self):
        with tempfile.TemporaryDirectory() as folder:
            found = pathlib.Path(folder) / "found.json"
            names = [word for name in ("raw_httpx", "raw-fetch", "nfa") for word in ("--only", name)]
            outcome = bench("--smoke", "--installed", "--json", found, *names, *given())
            self.assertEqual(outcome.returncode, 0, outcome.stderr)
            self.assertTrue(found.stat().st_size)
        if not shutil.which("node"):
            self.skipTest("no Node: " + outcome.stdout)
        # Node's floor needs nothing but Node.
        for part in [
            "node: one model turn, 2 at a time",
            "node: three tool rounds, 1 at a time",
            "node: 256 streamed chunks, 2 at a time",
            "node: an import in a fresh process",
            "node: from the start of a process to its first answer",
            "node: an idle session of 20 messages",
            "goals",
        ]:
            self.assertIn(part, outcome.stdout)
        self.assertIn("raw fetch", outcome.stdout)

    def test_every_peer_that_is_installed_does_the_work(self):
        outcome = bench("--smoke", "--installed", *given(), "one_turn", "three_tool_rounds", "stream_256")
        self.assertEqual(outcome.returncode, 0, outcome.stderr)
        self.assertIn("one model turn, 2 at a time", outcome.stdout)

    def test_nothing_stays_of_some_runs(self):
        outcome = bench("--smoke", "--installed", *given(), "leaks")
        if "nfa is not there" in outcome.stderr:
            self.skipTest("nfa's packages are not built, or not named")
        self.assertEqual(outcome.returncode, 0, outcome.stderr)
        self.assertIn("64 runs cancelled", outcome.stdout)

    def test_what_is_asked_for_wrongly_is_refused(self):
        outcome = bench("--smoke", "one_trun")
        self.assertEqual(outcome.returncode, 2)
        self.assertIn("unknown part one_trun", outcome.stderr)


def given():
    """What `cargo xtask test` has built already is not built again."""
    names = [("server", "NFA_BENCH_SERVER"), ("nfa-python", "NFA_BENCH_PYTHON"), ("nfa-node", "NFA_BENCH_NODE")]
    for option, name in names:
        if path := os.environ.get(name):
            yield from [f"--{option}", path]


if __name__ == "__main__":
    unittest.main()
