"""`trainyard up` with a scratch directory, for tests and benches that run real jobs."""

import pathlib
import re
import signal
import subprocess
import tempfile
import time


def wait_for(probe, what, seconds=90):
    """The first true value of probe(); AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come in {seconds} s")


class LocalCluster:
    """A cluster of 8 slots. Its jobs read `root / "data"` as root://data."""

    def __init__(self, binaries, write_data):
        self.binary = pathlib.Path(binaries) / "trainyard"
        self.scratch = tempfile.TemporaryDirectory(prefix="trainyard-cluster-")
        self.root = pathlib.Path(self.scratch.name)
        self.runs = self.root / "state" / "roots" / "runs"
        (self.root / "data").mkdir()
        write_data(self.root / "data")
        self.log = open(self.root / "up.log", "w")
        self.process = subprocess.Popen(
            [self.binary, "up", "--slots", "8", "--dir", self.root / "state", "--listen",
             "127.0.0.1:0", "--root", f"data={self.root / 'data'}"],
            stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            self.address = wait_for(self._find_address, "the cluster's address")
        except BaseException:
            self.stop()
            raise

    def _find_address(self):
        found = re.search(r"127\.0\.0\.1:[1-9]\d*", (self.root / "up.log").read_text())
        return found and found.group(0)

    def cli(self, *arguments, timeout=300):
        done = subprocess.run([self.binary, "--coordinator", self.address, *arguments],
                              capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def submit(self, text):
        """The name of the job or pipeline."""
        spec = self.root / "spec.yaml"
        spec.write_text(text)
        out = self.cli("submit", str(spec))
        return next(word for word in out.split() if word.startswith(("job-", "pipeline-")))

    def run(self, text):
        """Submits and waits for success."""
        name = self.submit(text)
        self.cli("wait", name)
        return name

    def task_processes(self, binary):
        """Ids of this cluster's task processes of one kind."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if words and words[0].endswith(binary) and any(self.scratch.name in w for w in words):
                found.append(int(entry.name))
        return found

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=60)
        finally:
            self.process.kill()
            self.log.close()
            self.scratch.cleanup()
