"""Clients of a hypervisor that lives in another process."""
