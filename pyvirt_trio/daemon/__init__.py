"""Serves a hypervisor to other processes of the same user, over a private unix socket."""
