"""README's section "A first job by hand", command by command, as a new user would type it.

Only two things are not as written: the programs come from the build under test, and the cluster
listens on a free port, which a context in the user's configuration names.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from local_up import BINARIES, ROOT, free_port, processes_of

LIMIT_SECONDS = 150


def commands():
    """The lines of the section's code blocks."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## A first job by hand")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"```\n(.*?)```", section, re.S))


class ReadmeTest(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="trainyard-readme-"))
        self.address = f"127.0.0.1:{free_port()}"
        config = self.home / ".config/trainyard/config.yaml"
        config.parent.mkdir(parents=True)
        config.write_text("current: here\ncontexts:\n  here:\n    coordinator: "
                          f"{self.address}\n", encoding="utf-8")

    def tearDown(self):
        shutil.rmtree(self.home)

    def test_the_commands_by_hand_work_as_they_stand(self):
        script = commands()
        for verb in ("up", "submit", "list", "watch", "wait", "describe", "logs -f", "cancel",
                     "retry", "scale", "nodes", "artifacts", "generate", "eval", "export",
                     "tokenize"):
            self.assertRegex(script, rf"(?m)^trainyard {verb}\b", f"README lacks {verb}")
        script = script.replace("$PWD/build/release/bin", str(BINARIES))
        script = script.replace("trainyard up ", f"trainyard up --listen {self.address} ")
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        done = subprocess.run(["bash", "-emc", script + "\nwait %1\n"], cwd=ROOT, env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=LIMIT_SECONDS, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertTrue((self.home / "my-policy/model.safetensors").is_file(), done.stdout)
        self.assertEqual(processes_of(self.home), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
