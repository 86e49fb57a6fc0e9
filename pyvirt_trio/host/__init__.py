"""What the library knows of its host: PCI devices in sysfs, and the one real implementation."""
