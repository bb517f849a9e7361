"""Networks that other frameworks trained: ONNX and QONNX as FINN and Brevitas write them, Keras and Larq, PyTorch.

`import_network` reads a foreign file, `load_network` any file. How decisions become thresholds: `.values`.
"""

from .layers import RANGES
from .read import FOREIGN, import_network, load_network
from .values import ImportFailure

__all__ = ["FOREIGN", "RANGES", "ImportFailure", "import_network", "load_network"]
