"""The hypervisor: domains, their lives, hotplug, host devices and the journal of events.

Read in this order: `journal` (commit, then announce), `domain` (what a user holds), `life` (one
running QEMU), `removal` (the table that makes DeviceRemoved the last act).
"""
