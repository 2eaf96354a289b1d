"""Every file of examples/specs is run by a real cluster, as it stands, on the sample data.

Then the verbs that work with what such jobs leave: generate, eval, tokenize, export, artifacts.
"""

import gzip
import json
import pathlib
import unittest

from local_up import ROOT, LocalUp
from peft import PeftConfig
from transformers import AutoTokenizer

# The later ones use what the earlier ones wrote.
ORDER = ("fake", "tokenizer", "tokenize", "pretrain", "sft", "sft_lora", "reward_model", "generate",
         "ppo", "eval", "eval_tasks", "pipeline")
# What a job leaves: the files of its output.
FILES = {
    "fake": (),
    "tokenizer": ("tokenizer.json",),
    "tokenize": (),
    "pretrain": ("config.json", "model.safetensors", "tokenizer.json"),
    "sft": ("config.json", "model.safetensors", "tokenizer.json"),
    "sft_lora": ("config.json", "model.safetensors", "tokenizer.json"),
    "reward_model": ("config.json", "model.safetensors", "tokenizer.json"),
    "generate": ("answers.jsonl",),
    "ppo": ("config.json", "model.safetensors", "tokenizer.json"),
    "eval": ("report.json",),
    "eval_tasks": ("report.json", "tasks.jsonl"),
}


class SpecsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.up = LocalUp()
        cls.results = {}
        for name in ORDER:
            submitted = cls.up.run("submit", f"examples/specs/{name}.yaml", "-o", "json")
            job = json.loads(submitted.stdout)["id"] if submitted.returncode == 0 else ""
            ended = cls.up.run("wait", job, "-o", "json") if job else submitted
            cls.results[name] = (ended, job)

    @classmethod
    def tearDownClass(cls):
        code, left = cls.up.stop()
        assert code == 0 and not left, (code, left)

    def ok(self, *arguments):
        done = self.up.run(*arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def directory_of(self, uri):
        state = self.up.home / ".local/state/trainyard/roots/runs"
        return state / uri.removeprefix("root://runs/")

    def test_every_file_is_run(self):
        files = {path.stem for path in (ROOT / "examples/specs").glob("*.yaml")}
        self.assertEqual(files, set(ORDER))

    def test_each_succeeds_and_leaves_what_it_says(self):
        for name, (ended, _) in self.results.items():
            with self.subTest(spec=name):
                self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
                if name == "pipeline":
                    continue
                outputs = json.loads(ended.stdout)["outputs"]
                self.assertEqual([output["name"] for output in outputs][1:],
                                 ["adapter"] if name == "sft_lora" else [])
                directory = self.directory_of(outputs[0]["uri"])
                for file in ("manifest.json", *FILES[name]):
                    self.assertTrue((directory / file).is_file(), f"{directory} lacks {file}")

    def test_an_adapter_is_an_output_that_peft_loads(self):
        copy = self.up.home / "adapter"
        self.ok("export", "sft-lora/adapter", str(copy))
        config = PeftConfig.from_pretrained(copy)
        self.assertEqual((config.task_type, config.r, config.lora_alpha), ("CAUSAL_LM", 8, 16))
        base = pathlib.Path(config.base_model_name_or_path)
        self.assertTrue((base / "model.safetensors").is_file(), base)
        text = self.ok("generate", "sft-lora/model", "continue: the film was", "--max-new-tokens",
                       "4")
        self.assertTrue(text.strip())

    def test_generate_asks_as_the_model_was_trained(self):
        out = self.ok("generate", "sft/model", "continue: the film was", "continue: the music is",
                      "--n", "2", "--max-new-tokens", "12", "-o", "json")
        rows = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([len(row["answers"]) for row in rows], [2, 2])
        job = json.loads(self.ok("list", "--limit", "1", "-o", "json"))["jobs"][0]
        template = job["spec"]["generate"]["chat_template"]
        self.assertEqual(template["end_of_turn"], "<|end|>")
        text = self.ok("generate", "ppo/policy", "continue: the film was", "--max-new-tokens",
                       "12")
        self.assertIn("> continue: the film was\n", text)

    def test_a_trained_model_is_talked_to_under_its_own_template(self):
        said = self.ok("generate", "sft/model", "--chat", "continue: the film was",
                       "--max-new-tokens", "12", "--temperature", "0", "-o", "json")
        drawn = self.ok("generate", "sft/model", "continue: the film was", "--max-new-tokens", "12",
                        "--temperature", "0", "-o", "json")
        self.assertEqual(json.loads(said)["answers"][0]["text"],
                         json.loads(drawn)["answers"][0]["text"])

    def test_generate_takes_a_stage_of_a_pipeline(self):
        self.ok("generate", "small-line/sft/model", "continue: the film was",
                "--max-new-tokens", "8")

    def test_eval_shows_the_paired_difference(self):
        out = self.ok("eval", "sft=sft/model", "ppo=ppo/policy", "--baseline", "sft", "--prompts",
                      "root://data/sft-valid.jsonl", "--metric", "variety=distinct_2", "--metric",
                      "kl=kl_to_baseline", "--limit", "16", "--max-new-tokens", "12")
        self.assertRegex(out, r"variety +ppo +\S+.* \S+")
        self.assertRegex(out, r"kl +sft +0 .* -\n")

    def test_tokenize_takes_an_output_and_an_exported_directory(self):
        ids = json.loads(self.ok("tokenize", "sft/model", "the film was", "-o", "json"))
        exported = self.up.home / "policy"
        self.ok("export", "ppo/policy", str(exported))
        again = json.loads(self.ok("tokenize", str(exported), "the film was", "-o", "json"))
        self.assertEqual(ids, again)
        decoded = self.ok("tokenize", str(exported), "--decode", *map(str, ids))
        self.assertEqual(decoded, "the film was\n")

    def test_every_reference_that_artifacts_prints_can_be_exported(self):
        rows = self.ok("artifacts").splitlines()[1:]
        self.assertGreaterEqual(len(rows), len(ORDER))
        for number, row in enumerate(rows):
            reference, uri = row.split()[0], row.split()[-1]
            target = self.up.home / f"export-{number}"
            self.ok("export", reference, str(target))
            self.assertEqual((target / "manifest.json").read_bytes(),
                             (self.directory_of(uri) / "manifest.json").read_bytes(), reference)

    def test_token_shards_train_a_model(self):
        self.ok("submit", "examples/specs/pretrain.yaml", "--watch", "--set", "name=from-shards",
                "--set", "pretrain.data.train[0].file=jobs/tokenize/tokens", "--set",
                "pretrain.data.train[0].format=shards", "--set", "pretrain.loop.steps=4")

    def test_compressed_files_train_and_ask_as_plain_ones(self):
        for name in ("sft", "sft-valid"):
            rows = (self.up.data / f"{name}.jsonl").read_bytes()
            (self.up.data / f"{name}.jsonl.gz").write_bytes(gzip.compress(rows))
        self.ok("submit", "examples/specs/sft.yaml", "--watch", "--set", "name=from-gzip", "--set",
                "sft.data.train[0].file=root://data/sft.jsonl.gz", "--set",
                "sft.data.validation[0].file=root://data/sft-valid.jsonl.gz")
        answers = [self.ok("generate", "from-gzip/model", "--file", f"root://data/{file}",
                           "--limit", "4", "--max-new-tokens", "8", "-o", "json")
                   for file in ("sft-valid.jsonl", "sft-valid.jsonl.gz")]
        self.assertEqual(answers[0], answers[1])

    def test_exported_models_render_their_chats_in_transformers(self):
        for number, model in enumerate(("sft/model", "reward-model/model", "ppo/policy")):
            exported = self.up.home / f"chat-{number}"
            self.ok("export", model, str(exported))
            tokenizer = AutoTokenizer.from_pretrained(exported)
            question = [{"role": "user", "content": "the film was"}]
            asked = tokenizer.apply_chat_template(question, tokenize=False,
                                                  add_generation_prompt=True)
            self.assertEqual(asked, "<|user|>the film was<|assistant|>", model)
            answered = tokenizer.apply_chat_template(
                question + [{"role": "assistant", "content": " good"}], tokenize=False)
            self.assertEqual(answered, asked + " good<|end|>", model)

    def test_sizes_that_do_not_fit_are_refused_at_once(self):
        spec = pathlib.Path("examples/specs/pretrain.yaml")
        refused = self.up.run("submit", str(spec), "--set", "roles.trainer.count=40")
        self.assertEqual(refused.returncode, 5, refused.stdout + refused.stderr)
        self.assertIn("can not start on this cluster", refused.stderr)

    def test_a_prompt_longer_than_the_context_is_an_error_that_names_both(self):
        failed = self.up.run("generate", "sft/model", "continue: the film was",
                             "--max-new-tokens", "64")
        self.assertEqual(failed.returncode, 10)
        self.assertIn("sampling.max_new_tokens is 64, the model's context 64", failed.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
