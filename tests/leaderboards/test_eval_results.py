"""Files of results in a model's repository, which anybody may have written."""

from __future__ import annotations

import pytest

from benchgen.errors import InputError
from leaderboards.eval_results import changed_files


@pytest.mark.parametrize(
    "words",
    ["!!int ''", "!!float ''", "!!bool x", "!!timestamp x", "[" * 10_000, "{}", "- 1", "a: [",
     "\x00", "&a [*a]", "!!python/object/apply:os.system [x]"],
    ids=range(11),
)  # fmt: skip
def test_what_is_no_list_of_results_is_one_line(words: str) -> None:
    with pytest.raises(InputError, match=r"all\.yaml of the repository is no list") as caught:
        changed_files({".eval_results/all.yaml": words.encode()}, [])
    assert "\n" not in str(caught.value)
