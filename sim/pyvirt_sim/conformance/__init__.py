"""The same commands to a real QEMU and to ours, and the first difference named."""
