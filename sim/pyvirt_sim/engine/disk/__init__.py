"""A simulated disk for any program: what was synced survives a crash, the rest may be lost or torn.

`Disk` is the medium, `FileSystem` what a running system sees of it::

    disk = Disk()
    files = disk.mount()
    with files.open("/state.new", create=True) as new:
        new.append(b"version 2")
        new.sync()
    files.rename("/state.new", "/state")
    files.sync("/")
    disk.crash()             # files and everything opened through it are dead from here on
    files = disk.mount()     # after the reboot

Nothing here takes time or waits: who simulates a machine adds the delays it wants.
"""

from pyvirt_sim.engine.disk.disk import Disk as Disk
from pyvirt_sim.engine.disk.files import FileSystem as FileSystem
from pyvirt_sim.engine.disk.files import OpenFile as OpenFile
