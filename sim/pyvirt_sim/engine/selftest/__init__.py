"""The engine proves on this machine what its documentation promises.

``python -m pyvirt_sim.engine.selftest`` runs one check per promise and exits with 0 only when all
of them hold. Each check is one module here with a function ``check``; `fresh` starts the processes
they need.
"""
