from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from k3push.adapters.names_on_disk import names_on_disk


@given(st.lists(st.lists(st.text(max_size=3))))
def test_a_name_is_new_once(batches: list[list[str]]) -> None:
    """Blanks, letter case and width make another name: the ERP alone knows which are one."""
    met: set[str] = set()
    with names_on_disk() as names:
        for batch in batches:
            assert names.new(batch) == set(batch) - met
            met.update(batch)


def test_two_places_know_nothing_of_each_other() -> None:
    """Each audit begins anew."""
    with names_on_disk() as one, names_on_disk() as other:
        assert one.new(["a"]) == other.new(["a"]) == {"a"}
