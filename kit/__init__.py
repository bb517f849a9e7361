"""The tape-out kit: every view of a controller and its macro, in one folder that needs no Python.

``bridgebnn kit --preset P --out DIR`` writes it, ``bridgebnn kit-check DIR`` lets the tools that the views are for
read them. See docs/kit.md.
"""
