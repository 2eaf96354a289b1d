"""An installed tree is moved, and runs where it lies then, without an environment variable."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from local_up import BINARIES, LocalUp

NEEDED = ("trainyard", "trainyard-coordinator", "trainyard-agent", "trainyard-exec",
          "trainyard-worker", "trainyard-rollout", "trainyard-reward", "trainyard-ppo",
          "trainyard-eval")


class InstallTest(unittest.TestCase):
    def setUp(self):
        # Beside the build: a tree of half a gigabyte is linked or copied within one file system.
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="install-test-", dir=BINARIES.parent))

    def tearDown(self):
        shutil.rmtree(self.place)

    def install(self):
        first = self.place / "first"
        subprocess.run(["cmake", "--install", str(BINARIES.parent), "--prefix", str(first)],
                       check=True, stdout=subprocess.DEVNULL)
        moved = self.place / "elsewhere" / "trainyard"
        moved.parent.mkdir()
        first.rename(moved)
        return moved

    def test_a_moved_tree_runs_jobs_with_its_own_libraries(self):
        tree = self.install()
        for name in NEEDED:
            self.assertTrue((tree / "bin" / name).is_file(), f"{name} is not installed")
        linked = subprocess.run(["ldd", str(tree / "bin/trainyard-worker")], check=True,
                                capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
        torch = [line for line in linked.stdout.splitlines() if "libtorch_cpu" in line]
        self.assertIn(str(tree / "bin/../lib"), torch[0])
        self.assertNotIn("not found", linked.stdout)
        up = LocalUp(tree / "bin")
        try:
            specs = tree / "share/trainyard/examples/specs"
            for name in ("fake", "tokenizer", "pretrain"):
                done = up.run("submit", str(specs / f"{name}.yaml"), "--watch")
                self.assertEqual(done.returncode, 0, f"{name}: {done.stdout}{done.stderr}")
        finally:
            code, left = up.stop()
        self.assertEqual((code, left), (0, []))


if __name__ == "__main__":
    unittest.main(verbosity=2)
