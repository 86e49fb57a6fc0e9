"""Print the page of the documentation that lists the boundary."""

import sys

from pyvirt_sim.engine.fence.page import boundary_page

if __name__ == "__main__":
    sys.stdout.write(boundary_page())
