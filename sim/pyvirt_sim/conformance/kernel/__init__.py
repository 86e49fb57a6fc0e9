"""The kernel's sysfs and vfio, real in a nested machine and simulated: one script for both.

`steps` says what a step is, `scene` which devices there are, `script` holds the steps, `agent`
carries them out on a real kernel, `simulated` on a simulated host, `compare` boots, plays both and
finds the differences. The agent runs inside the nested machine, where every import is slow: `steps`
and `agent` need the standard library only, and this package imports nothing.
"""
