"""Real parts: Debian's kernels, unpacked and never installed, and the machines that boot them."""
