"""However the demo's script ends, its cluster ends with it."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from local_up import BINARIES, ROOT, processes_of

LIMIT_SECONDS = 60
SCRIPT = """
import pathlib, sys, time
sys.path.insert(0, "examples")
import cluster
with cluster.Cluster(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) / "cluster",
                 pathlib.Path(sys.argv[2]) / "data") as up:
    up.run("submit", "examples/specs/fake.yaml", "--set", "fake.steps=100000")
    print("running", flush=True)
    time.sleep(600)
"""


class DemoClusterTest(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="trainyard-demo-"))
        (self.directory / "data").mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(BINARIES), str(self.directory)], cwd=ROOT,
            env={"HOME": str(self.directory), "PATH": os.environ["PATH"]}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        while "running" not in self.process.stdout.readline():
            self.assertIsNone(self.process.poll())

    def tearDown(self):
        self.process.stdout.close()
        shutil.rmtree(self.directory)

    def expect_nothing_left(self):
        self.process.wait(timeout=LIMIT_SECONDS)
        deadline = time.monotonic() + LIMIT_SECONDS
        while processes_of(self.directory) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(processes_of(self.directory), [])

    def test_ctrl_c_leaves_no_process(self):
        self.process.send_signal(signal.SIGINT)
        self.expect_nothing_left()

    def test_a_killed_script_leaves_no_process(self):
        self.process.kill()
        self.expect_nothing_left()


if __name__ == "__main__":
    unittest.main(verbosity=2)
