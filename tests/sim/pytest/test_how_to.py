"""The tests of the how-to page fail as the page says they do."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "test-with-pytest-and-hypothesis.md"
SUITE = """
import hypothesis
hypothesis.settings.register_profile("page", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("page")
"""


def test_every_test_of_the_page_finds_the_race_and_the_smallest_workload(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    pytester.makeconftest(SUITE)
    pytester.makepyfile(test_bank="\n".join(blocks))
    result = pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=4)
    text = result.stdout.str()
    # Under CI Hypothesis says it twice.
    drawn = re.findall(r"amounts=(\[.*?\])", text)
    assert len(drawn) >= 3
    assert set(drawn) == {"[7, 7]"}
    assert text.count("1 out of turn") >= 3
    assert text.count("THE ORDER THAT DECIDES") >= 3
