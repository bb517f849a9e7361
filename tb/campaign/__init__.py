"""The fault campaign: thousands of seeded faults on RTL and macro, each judged by an oracle of its own.

``faults`` says what a fault is and draws it; ``watch`` wraps the controller in a monitor of its pins;
``agent``, ``macro`` and ``attack`` play what is broken or hostile; ``host`` is the careful firmware;
``oracle`` knows what the array really holds; ``inject`` puts a fault in, ``scenarios`` puts it through and
judges; ``run`` shares the work out; ``report`` counts.
"""
