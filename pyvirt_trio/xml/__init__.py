"""Domain and device descriptions to and from libvirt's XML; nothing else imports lxml."""
