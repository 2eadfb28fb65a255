"""All tests side by side."""

from __future__ import annotations

from leaderboards.cells import percent
from tests.leaderboards.browser.reading import SHOWN, Show, column, names


def test_overall_has_a_mean_where_all_tests_were_asked(show: Show) -> None:
    page = show()
    assert column(page, "Mean")[0] == percent((0.86 + 0.81 + 0.69) / 3)
    assert names(page)[-1] == "Qwen/Middle"
    assert column(page, "Mean")[-1].startswith("–")
    assert page.locator(SHOWN).first.get_by_role("link").count() == 3
