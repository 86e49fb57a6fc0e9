"""Deterministic simulation of virtual machine hosts, and of any Trio program.

Layers (a lower one never imports a higher one):

    engine      deterministic Trio; knows nothing of virtual machines, imports nothing of ours
    host, qemu  the simulated outside world of pyvirt_trio; import engine
    checkers    one promise per file
    zoo         one documented bug per file
    explore     campaigns; report: text and HTML

Nothing is imported here: import the part you need, for example ``pyvirt_sim.engine``.
"""
