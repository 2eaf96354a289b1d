"""A cluster of `trainyard up` for tests of what users do, with a home directory of its own."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARIES = pathlib.Path(os.environ["TRAINYARD_BIN_DIR"])
READY = "Ctrl-C stops everything"
PATIENCE_SECONDS = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_of(directory):
    """Command lines of live processes that name `directory`."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            continue
        if entry.name != str(os.getpid()) and str(directory) in line:
            found.append(line)
    return found


class LocalUp:
    """`trainyard up` with the sample data as root "data"; leaves nothing behind after stop()."""

    def __init__(self, binaries=BINARIES, slots=4):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="trainyard-up-"))
        self.environment = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        self.cli = str(binaries / "trainyard")
        self.data = self.home / "data"
        subprocess.run([sys.executable, str(ROOT / "examples/specs/sample_data.py"),
                        str(self.data)], check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [self.cli, "up", "--slots", str(slots), "--root", f"data={self.data}", "--listen",
             f"127.0.0.1:{free_port()}"],
            env=self.environment, stdout=subprocess.PIPE, text=True)
        self.address = self._address()

    def _address(self):
        address, lines = None, []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("coordinator "):
                address = line.split()[1]
            if READY in line:
                return address
        raise RuntimeError("trainyard up ended early:\n" + "".join(lines))

    def run(self, *arguments, timeout=PATIENCE_SECONDS):
        """The finished process of a verb; its outputs as text."""
        return subprocess.run([self.cli, "--coordinator", self.address, *arguments], cwd=ROOT,
                              env=self.environment, capture_output=True, text=True,
                              timeout=timeout, check=False)

    def stop(self):
        """The exit code of `up`, and the processes that outlived it."""
        self.process.terminate()
        code = self.process.wait(timeout=PATIENCE_SECONDS)
        self.process.stdout.close()
        left = processes_of(self.home)
        shutil.rmtree(self.home)
        return code, left
