"""What an example must show: a measure, its bounds, and whether they hold."""

import signal
import sys


def gate(name, value, low=None, high=None, **bounds):
    """One row of the verdict table. `bounds`: at_least, at_most, low_above, high_below."""
    tests = {"at_least": (value, ">=", lambda v, b: v >= b),
             "at_most": (value, "<=", lambda v, b: v <= b),
             "low_above": (low, "interval >", lambda v, b: v is not None and v > b),
             "high_below": (high, "interval <", lambda v, b: v is not None and v < b)}
    ok, texts = True, []
    for key, bound in bounds.items():
        measured, sign, holds = tests[key]
        ok = ok and holds(measured, bound)
        texts.append(f"{sign} {bound:g}")
    return {"name": name, "value": value, "low": low, "high": high, "bound": ", ".join(texts),
            "ok": ok}


def print_table(gates):
    width = max(len(g["name"]) for g in gates)
    print(f"\n{'measure':{width}}  {'value':>9}  {'95 % interval':>18}  gate")
    for g in gates:
        interval = "" if g["low"] is None else f"[{g['low']:.3f}, {g['high']:.3f}]"
        print(f"{g['name']:{width}}  {g['value']:9.3f}  {interval:>18}  "
              f"{'holds' if g['ok'] else 'FAILS'}: {g['bound']}")


def conclude(gates):
    """Says whether all of them hold; the exit code."""
    failed = [g["name"] for g in gates if not g["ok"]]
    print(f"failed: {', '.join(failed)}" if failed else "every gate holds")
    return 1 if failed else 0


def run_to_exit(main):
    """Ends the process with main's exit code; Ctrl-C and SIGTERM leave by its `with` blocks."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
