"""Each interrupt on the pin: set by its event alone, masked by IRQ_ENABLE, cleared by a 1."""

import pytest

from . import shapes


@pytest.mark.parametrize("sim", shapes.EACH_SIMULATOR)
def test_every_interrupt_on_the_pin(sim):
    compared = shapes.bench(sim, "interrupts")
    assert compared["events"] > 20
    assert compared["rises"] > 24
