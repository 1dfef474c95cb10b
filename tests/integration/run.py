"""Runs all tests of this folder, or those that are named, and ends with a line that counts them."""

import sys
import unittest

arguments = [word for word in sys.argv[1:] if not word.startswith("-")]
loader = unittest.TestLoader()
suite = loader.loadTestsFromNames(arguments) if arguments else loader.discover(".")
verbosity = 2 if "-v" in sys.argv else 1
result = unittest.TextTestRunner(verbosity=verbosity, stream=sys.stdout).run(suite)
failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
# Of a class that was skipped as a whole, no test counts as run.
skipped = [test for test, _ in result.skipped if isinstance(test, unittest.TestCase)]
passed = result.testsRun - failed - len(skipped)
for reason in sorted({reason for _, reason in result.skipped}):
    print(reason)
print(f"{passed} passed, {failed} failed")
sys.exit(0 if failed == 0 and passed > 0 else 1)
