"""The demo's controls: what must not happen when the reward means something else.

`run.py --controls` submits controls.yaml behind the demo's own pipeline and judges it here. The
bounds are those of examples/demo/README.md.
"""

import pathlib

PIPELINE = pathlib.Path(__file__).resolve().parent / "controls.yaml"
# A reward that knows nothing may move the policy by chance, but by less than this share of what the
# real one moves it.
CHANCE_SHARE = 0.5
MEASURES = ("polarity", "judge", "reviews")


def differences(report, model):
    """The paired difference of `model` to the baseline, by measure."""
    return {metric["name"]: metric["models"][model]["delta"] for metric in report["metrics"]
            if metric["name"] in MEASURES}


def gates(control_report, demo_report, gate):
    """Rows of the control table; `gate` makes one (run.py)."""
    flipped = differences(control_report, "flipped")["polarity"]
    rows = [gate("reward's sign flipped: polarity falls", flipped["value"], flipped["ci_low"],
                 flipped["ci_high"], high_below=0)]
    shuffled = differences(control_report, "shuffled")
    real = differences(demo_report, "ppo")
    for name in MEASURES:
        measured = shuffled[name]
        rows.append(gate(f"ratings shuffled: {name} rises less than half as much",
                         measured["value"], measured.get("ci_low"), measured.get("ci_high"),
                         at_most=CHANCE_SHARE * real[name]["value"]))
    return rows
