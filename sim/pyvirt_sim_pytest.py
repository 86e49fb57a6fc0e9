"""Pytest entry point of the simulator: inert until a test asks for it.

Every pytest run on a machine where pyvirt-trio is installed imports this file, so it imports
nothing but pytest: neither Trio, nor the library, nor the simulator.
"""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that says a test runs under the simulator."""
    config.addinivalue_line("markers", "simulated: runs under pyvirt_sim")
