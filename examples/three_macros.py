"""One testbench, three macros: ideal, behavioural, and transistors of SKY130 that ngspice answers for.

    python -m examples.three_macros [icarus|verilator]

A network of 7 inputs, 3 signs and 2 scores runs through the controller's Verilog on a chip of 2 tiles with 9 columns.
With macro "spice" each of its reads is one run of ngspice over the row in transistors, a second or two of processor
time; answers are kept in the build folder. The model answers the same reads, and what differs is printed.
"""

import sys

import numpy as np

from bridgebnn.tb import run_layers

rng = np.random.default_rng(7)
weights = [rng.choice([-1, 1], (3, 7)), rng.choice([-1, 1], (2, 3))]
thresholds = [[2, -2, 2], [0, 0]]  # bias columns stand in for them, so that each comparison has all 9 columns
vectors = rng.integers(0, 2, (2, 7))

if __name__ == "__main__":
    sim = sys.argv[1] if len(sys.argv) > 1 else "icarus"
    wrong = 0
    for macro in ("ideal", "real", "spice"):
        result = run_layers(
            weights,
            vectors,
            thresholds=thresholds,
            sim=sim,
            macro=macro,
            attach="strobe",
            program="preload",
            chip=7,
        )
        print(f"{macro:5} {result.scores}")
        wrong += result.model_mismatches
    beside = result.transistors
    print(
        f"{beside.decisions_differ} of {beside.decisions} decisions and {beside.bits_differ} of {beside.bits} source "
        f"lines differ; dV by {beside.dv_worst_V * 1e3:.2f} mV at most, one count is {beside.lsb_V * 1e3:.0f} mV"
    )
    sys.exit(wrong > 0)
