"""What the program sequencer is doing, for the properties: one condition from the states of its blocks."""

from amaranth.hdl import Cat, Value

from bridgebnn.hdl.programming.activity import PLACES, Activity

from .observer import View

__all__ = ["doing"]


def doing(v: View, *names: str) -> Value:
    """The program sequencer is doing one of `Activity` ``names``."""
    return Cat(_shown(v, Activity[name]) for name in names).any()


def _shown(v: View, name: Activity) -> Value:
    block, state = PLACES[name]
    here = v.state(f"program.{block}".rstrip("."), state.name)
    if name is Activity.FIND_TARGETS:
        return here & ~_shown(v, Activity.RAISE_RAILS)
    return here
