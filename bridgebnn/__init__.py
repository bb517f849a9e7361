"""Digital controller, macro model and verification of binarized networks in ReRAM bridges.

The rooms: `bridgebnn.hdl` (Amaranth), `bridgebnn.model` (numpy), `bridgebnn.tb` (cocotb), `bridgebnn.train`
and `bridgebnn.proofs`. In the repository each is a folder at the top level.
"""

__version__ = "0.2.0"
