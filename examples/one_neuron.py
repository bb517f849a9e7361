"""One neuron over its whole popcount range: where does the sign flip, on an ideal and on a real chip?

    python -m examples.one_neuron [icarus|verilator]

A neuron of 23 inputs with all weights +1 gets vectors with 0 to 23 ones. As a sign layer it is read by the
analog comparator (a one-input layer behind it makes the sign readable as a score of +1 or -1), so what is
printed went through charge sharing and comparator, not through the digital popcount.
"""

import sys

import numpy as np

from bridgebnn.tb import run_layers

N = 23
weights = [np.ones((1, N), int), np.ones((1, 1), int)]
vectors = np.array([[1] * ones + [0] * (N - ones) for ones in range(N + 1)])

if __name__ == "__main__":
    wrong = 0
    for macro in ("ideal", "real"):
        sim = sys.argv[1] if len(sys.argv) > 1 else "icarus"
        result = run_layers(weights, vectors, sim=sim, macro=macro, chip=7)
        signs = [score for (score,) in result["scores"]]
        line = "".join("+" if sign > 0 else "-" for sign in signs)
        print(f"{macro:5} {line} flips at popcount {signs.index(1)}")
        wrong += result["model_mismatches"] + (result["golden_mismatches"] if macro == "ideal" else 0)
    sys.exit(wrong > 0)
