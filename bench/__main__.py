"""`make bench`: every measurement, one after another."""

from __future__ import annotations

import runpy
import sys

for name in ("bench.calendar", "bench.costs"):
    print(f"\n== {name}", flush=True)
    sys.argv = [name]
    runpy.run_module(name, run_name="__main__")
