"""Your weights, your vectors: a two-layer network through the generated Verilog, compared with golden.

    python -m examples.my_network [icarus|verilator]

``run_layers`` takes one matrix of -1 and +1 a layer, shape (outputs, inputs), and the input vectors as 0 and 1.
It places the network on a chip of the right size, generates the controller, programs an unformed array over
the bus, streams the vectors and compares every hidden bit and every score with the integer reference.
``macro="real"`` and ``chip=SEED`` put a chip with spread and noise on the pins instead of the ideal one.
"""

import sys

import numpy as np

from bridgebnn.tb import run_layers

rng = np.random.default_rng(2024)
weights = [rng.choice([-1, 1], (12, 23)), rng.choice([-1, 1], (4, 12))]
vectors = rng.integers(0, 2, (6, 23))

if __name__ == "__main__":
    result = run_layers(weights, vectors, sim=sys.argv[1] if len(sys.argv) > 1 else "icarus")
    print("scores from the RTL:  ", result["scores"])
    print("scores from golden:   ", result["golden_scores"])
    print("mismatches:           ", result["golden_mismatches"], "of all hidden bits and scores")
    print("programming:          ", result["programming"]["pulses"], "pulses")
    sys.exit(result["golden_mismatches"] > 0)
