"""scripts/sum-results counts what ran, and hides no failure."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "sum-results"

PASSED = '<testcase name="a" classname="a" status="run"/>'
FAILED = '<testcase name="b" classname="b" status="fail"><failure message=""/></testcase>'
ERROR = '<testcase name="c" classname="c"><error message="in setup"/></testcase>'
SKIPPED = '<testcase name="d"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/></testcase>'
DISABLED = '<testcase name="e" status="disabled"/>'
MISSING = '<testcase name="f" status="notrun"><skipped message="Unable to find executable"/></testcase>'


class SumResults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, *cases):
        (self.folder / f"{name}.xml").write_text(f"<testsuite>{''.join(cases)}</testsuite>")

    def sum_up(self, *arguments):
        done = subprocess.run([sys.executable, SCRIPT, self.folder, *arguments], text=True,
                              stdout=subprocess.PIPE, check=False)
        return done.returncode, done.stdout.splitlines()[-1]

    def test_adds_up_several_files(self):
        self.write("unit", PASSED, PASSED, SKIPPED, DISABLED)
        self.write("e2e", PASSED)
        self.assertEqual(self.sum_up(), (0, "3 passed, 0 failed, 2 skipped"))

    def test_failures_errors_and_missing_programs_fail(self):
        for case in (FAILED, ERROR, MISSING):
            with self.subTest(case=case):
                self.write("unit", PASSED, case)
                self.assertEqual(self.sum_up("--failed", "unit"), (1, "1 passed, 1 failed"))

    def test_a_step_that_failed_without_a_failed_test_counts(self):
        self.write("unit", PASSED)
        self.assertEqual(self.sum_up("--failed", "unit", "build"), (1, "1 passed, 2 failed"))

    def test_a_broken_file_does_not_hide_the_failed_step(self):
        (self.folder / "asan.xml").write_text("<testsuite><testca")
        self.write("unit", PASSED)
        self.assertEqual(self.sum_up("--failed", "asan"), (1, "1 passed, 1 failed"))

    def test_checks_without_a_file_count(self):
        self.assertEqual(self.sum_up("--passed", "format", "tidy"), (0, "2 passed, 0 failed"))

    def test_nothing_run_is_no_success(self):
        self.assertEqual(self.sum_up(), (1, "0 passed, 0 failed"))


if __name__ == "__main__":
    unittest.main()
