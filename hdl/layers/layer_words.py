"""The memory of a table with four words per layer: what the host writes word by word and the sequencer reads whole."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.utils import bits_for

from bridgebnn.hdl.memory import SyncMemory
from bridgebnn.hdl.signatures import WindowPort
from bridgebnn.hdl.spec import WORD_WIDTH, Geometry

__all__ = ["WORDS_PER_LAYER", "layer_words", "layer_words_window"]

WORDS_PER_LAYER = 4


def layer_words_window(geometry: Geometry) -> WindowPort:
    """The host's window of such a table."""
    return WindowPort(max(1, bits_for(WORDS_PER_LAYER * geometry.layers - 1)))


def layer_words(m: Module, geometry: Geometry, window, fetch: Value, index: Value) -> Value:
    """Add the memory to ``m`` as its submodule ``memory``.

    Parameters
    ----------
    m : Module
        Of the table.
    window : interface of `layer_words_window`
        Host access, one word at a time, while ``fetch`` is low: the bank refuses others.
    fetch, index : Value
        Read the entry of layer ``index``.

    Returns
    -------
    Value, 128 bits
        The entry, word 0 lowest: valid 1 cycle after ``fetch``, until the next read of either.
    """
    m.submodules.memory = memory = SyncMemory(
        width=WORDS_PER_LAYER * WORD_WIDTH, depth=geometry.layers, lanes=WORDS_PER_LAYER
    )
    lane = Signal(2)
    with m.If(window.r_en):
        m.d.sync += lane.eq(window.addr[:2])
    m.d.comb += [
        memory.w_addr.eq(window.addr[2:]),
        memory.w_data.eq(window.w_data.replicate(WORDS_PER_LAYER)),
        memory.w_en.eq(window.w_en << window.addr[:2]),
        memory.r_addr.eq(Mux(fetch, index, window.addr[2:])),
        memory.r_en.eq(fetch | window.r_en),
        window.r_data.eq(memory.r_data.word_select(lane, WORD_WIDTH)),
    ]
    return memory.r_data
