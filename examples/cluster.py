"""A cluster on this machine for the examples: `trainyard up` as a child process, and its CLI."""

import ctypes
import json
import shutil
import signal
import subprocess

PR_SET_PDEATHSIG = 1


def end_with_parent():
    """In a child: TERM to it when its parent is gone, however that ended."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Cluster:
    """`trainyard up` as a child process, and its CLI. Ends with the `with` block."""

    def __init__(self, binaries, directory, data):
        self.cli = str(binaries / "trainyard")
        self.runs = directory / "roots" / "runs"
        self.log = (directory.parent / "cluster.log").open("w")
        self.process = subprocess.Popen(
            [self.cli, "up", "--slots", "4", "--dir", str(directory), "--root", f"data={data}",
             "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=self.log, text=True, start_new_session=True,
            preexec_fn=end_with_parent)
        try:
            self.address = self._address()
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _address(self):
        for line in self.process.stdout:
            if line.startswith("coordinator "):
                return line.split()[1]
        raise SystemExit(f"trainyard up ended early: see {self.log.name}")

    def run(self, *arguments, stdout=None):
        return subprocess.run([self.cli, "--coordinator", self.address, *arguments],
                              stdout=stdout, check=False)

    def json(self, *arguments):
        done = subprocess.run([self.cli, "--coordinator", self.address, *arguments, "-o", "json"],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"trainyard {' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.log.close()


def series(points, name):
    return [[p.get("step", 0), p["values"][name]] for p in points if name in p.get("values", {})]


def stage_seconds(pipeline):
    return {job["stage"]: (job["ended_at_us"] - job["started_at_us"]) / 1e6
            for job in pipeline["jobs"]}


def export(cluster, artifact, directory):
    """An output of a job, by JOB/OUTPUT."""
    shutil.rmtree(directory, ignore_errors=True)
    if cluster.run("export", artifact, str(directory), "--root", f"runs={cluster.runs}",
                   stdout=subprocess.DEVNULL).returncode != 0:
        raise SystemExit(f"{artifact} could not be exported")


def export_report(cluster, job, directory):
    """An eval job's report."""
    export(cluster, f"{job}/report", directory)
    return json.loads((directory / "report.json").read_text(encoding="utf-8"))


def stage_jobs(pipeline):
    return {job["stage"]: job["id"] for job in pipeline["jobs"]}


def follow(cluster, pipeline_id):
    """Shows its progress; returns the id when it succeeded."""
    code = cluster.run("watch", pipeline_id).returncode
    if code == 0:
        return pipeline_id
    for job in cluster.json("get", pipeline_id)["jobs"]:
        if job["state"] == "failed":
            cluster.run("describe", job["id"])
    raise SystemExit(f"the pipeline did not succeed (exit code {code})")
