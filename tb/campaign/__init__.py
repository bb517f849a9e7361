"""The fault campaign: thousands of seeded faults on RTL and macro, each judged by an oracle of its own.

``faults`` says what a fault is and draws it; ``watch`` wraps the controller in a monitor of its pins; ``agent`` and
``macro`` play the broken chip; ``host`` is the careful firmware; ``oracle`` knows what the array really holds;
``scenarios`` puts one fault through; ``report`` counts.
"""
