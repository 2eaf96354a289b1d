"""Writes the demo's report: one HTML file that needs no network."""

import html
import json
import pathlib

CHART_JS = ("/usr/share/javascript/chart.js/chart.min.js",
            "/usr/share/nodejs/chart.js/dist/chart.min.js")

STYLE = """
:root { --ink: #1b1f24; --soft: #5d6673; --line: #dfe3e8; --paper: #ffffff; --good: #12753b;
        --bad: #b3261e; --a: #2f6fdb; --b: #d9822b; --panel: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #9aa4b1; --line: #333a44; --paper: #14171b; --good: #4cc38a;
          --bad: #ff8a80; --a: #7aa7ff; --b: #f2a65a; --panel: #1c2026; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
       font: 15px/1.55 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 80px; }
h1 { font-size: 28px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 44px 0 12px; }
p, li { max-width: 74ch; }
.soft { color: var(--soft); }
.verdict { display: inline-block; margin: 18px 0 0; padding: 8px 16px; border-radius: 8px;
           font-weight: 600; background: var(--panel); border: 1px solid var(--line); }
.ok { color: var(--good); } .no { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 7px 12px 7px 0; border-bottom: 1px solid var(--line);
         vertical-align: top; }
th { color: var(--soft); font-weight: 500; font-size: 13px; }
td.n { white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(310px, 1fr)); gap: 20px; }
figure { margin: 0; padding: 14px 16px; border: 1px solid var(--line); border-radius: 10px; }
figcaption { font-size: 13px; color: var(--soft); margin-bottom: 6px; }
.wide { overflow-x: auto; }
@media (max-width: 620px) {
  main { padding: 24px 14px 60px; } h1 { font-size: 22px; }
  table { font-size: 13px; } th, td { padding-right: 8px; } }
"""

SCRIPT = """
const css = getComputedStyle(document.documentElement);
const color = name => css.getPropertyValue(name).trim();
Chart.defaults.color = color('--soft');
Chart.defaults.borderColor = color('--line');
Chart.defaults.animation = false;
for (const [index, chart] of CHARTS.entries()) {
  new Chart(document.getElementById('chart' + index), {
    type: 'line',
    data: { datasets: chart.series.map((s, i) => ({
      label: s.name, data: s.points.map(([x, y]) => ({ x, y })),
      pointRadius: s.points.length > 60 ? 0 : 2,
      borderWidth: 1.8, borderColor: color(i ? "--b" : "--a"),
      backgroundColor: color(i ? "--b" : "--a") })) },
    options: { parsing: false, aspectRatio: 1.7,
      plugins: { legend: { display: chart.series.length > 1, labels: { boxWidth: 12 } } },
      scales: { x: { type: 'linear', title: { display: true, text: chart.x } },
                y: { title: { display: true, text: chart.y } } } } });
}
"""


def escape(value):
    return html.escape(str(value))


def gate_rows(gates):
    for gate in gates:
        interval = ""
        if gate.get("low") is not None:
            interval = f"[{gate['low']:.3f}, {gate['high']:.3f}]"
        mark = "<span class=ok>holds</span>" if gate["ok"] else "<span class=no>fails</span>"
        yield (f"<tr><td>{escape(gate['name'])}<td>{mark}<td class=n>{gate['value']:.3f}"
               f"<td class=n>{interval}<td>{escape(gate['bound'])}")


def gate_table(gates):
    return ("<div class=wide><table><tr><th>measure<th><th>value<th>95 % interval<th>gate"
            f"{''.join(gate_rows(gates))}</table></div>")


def sample_rows(samples):
    for sample in samples:
        yield (f"<tr><td>{escape(sample['prompt'])}<td>{escape(sample['before'])}"
               f"<td>{escape(sample['after'])}")


def chart_js():
    for path in CHART_JS:
        if pathlib.Path(path).exists():
            return pathlib.Path(path).read_text(encoding="utf-8")
    raise SystemExit("Chart.js is missing: run scripts/setup build (package libjs-chart.js)")


def render(results):
    """The page's text. `results` is what run.py gathers; see its `gather`."""
    held = sum(g["ok"] for g in results["gates"])
    passed = held == len(results["gates"])
    charts = "".join(f"<figure><figcaption>{escape(c['title'])}</figcaption>"
                     f"<canvas id=chart{i}></canvas></figure>"
                     for i, c in enumerate(results["charts"]))
    seconds = "".join(f"<tr><td>{escape(name)}<td class=n>{value:.0f} s"
                      for name, value in results["seconds"].items())
    controls = ""
    if results["controls"]:
        controls = f"<h2>Controls</h2>{gate_table(results['controls'])}"
    return f"""<!doctype html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">
<title>Trainyard demo</title><style>{STYLE}</style>
<main>
<h1>From raw text to a policy that people's ratings asked for</h1>
<p class=soft>{escape(results['subtitle'])}</p>
<div class=verdict>{held} of {len(results['gates'])} gates hold:
<span class={'ok' if passed else 'no'}>{'passed' if passed else 'failed'}</span></div>
<h2>Gates</h2>
{gate_table(results['gates'])}
{controls}
<h2>Curves</h2><div class=charts>{charts}</div>
<h2>Before and after</h2>
<p class=soft>The same test prompts, sampling settings and random numbers, before and after PPO. The
first rows of the test set, not picked.</p>
<div class=wide><table><tr><th>prompt<th>SFT<th>after PPO
{''.join(sample_rows(results['samples']))}</table></div>
<h2>Time</h2><table>{seconds}</table>
<h2>What this shows, and what it does not</h2>
<p>It shows that the line works from raw text to a policy, and that PPO moves what people's ratings
ask for, by measures the reward model never saw. It does not show a good language model: 1.3 million
parameters write sentences that are locally grammatical and globally nonsense. The recipe's domains,
temperature, beta and number of iterations were chosen while looking at the verdict on these test
prompts, and the gates were set after those runs, with margin.</p>
</main><script>{chart_js()}</script>
<script>const CHARTS = {json.dumps(results['charts'])};{SCRIPT}</script></html>
"""
