"""What a hypervisor and its remote users say to each other, as bytes: no input, no output."""
