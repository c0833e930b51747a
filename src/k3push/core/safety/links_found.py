"""What is known of the links of a target form, and what follows from it (P 6.5)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from k3push.core.model import BillNumber, Sighting


@dataclass(slots=True)
class Links:
    """What is known of the links of a route's target form (P 6.5).

    Attributes:
        find: They have found a document that another look, or an answer, knows of a bill.
        missed: They have missed one.
        find_own: They have found one that a call by the route's rule has made.
        missed_own: They have missed one of those, though a look by number has shown it.
        recalled: A recent execution has seen them find one.
        untold: The site was asked whether they find anything, and did not tell.
        tell_more: They have found a document that the number field did not show, or a line bears
            the number of one bill and the link of another: of several merged bills the field may
            hold only one number.
        absent: The site does not let them be queried, or the pair's are not known.
    """

    find: bool = False
    missed: bool = False
    find_own: bool = False
    missed_own: bool = False
    recalled: bool = False
    untold: bool = False
    tell_more: bool = False
    absent: bool = False

    @property
    def tell(self) -> bool:
        """Whether a bill that no link names has no document."""
        return self.find and not self.missed and not self.absent

    @property
    def are_of_use(self) -> bool:
        """Whether they can be asked, and have missed nothing yet."""
        return not self.absent and not self.missed

    @property
    def are_kept(self) -> bool:
        """Whether they have found what the route's rule makes, now or of late."""
        return self.find_own or self.recalled

    @property
    def may_outweigh(self) -> bool:
        """Whether the route's rule may keep links.

        They have found a document that it made, or have at least missed none.
        """
        return self.are_kept or (not self.missed_own and (self.find or not self.absent))

    @property
    def outweigh(self) -> bool:
        """Whether a document needs a link to count as a bill's: its number alone is not enough.

        That is so if the site keeps links, and this rule may, too.
        """
        return self.may_outweigh and (self.find or self.are_kept or self.untold)

    def compare(self, known: Collection[str], seen: Sighting) -> None:
        """Take in whether the links have found documents of bills that they were asked for."""
        if seen.linked:
            self.find = self.find or bool(seen.by_link.intersection(known))
            self.missed = self.missed or not seen.by_link.issuperset(known)

    def compare_own(self, made: Collection[str], number: BillNumber, seen: Sighting) -> None:
        """Take in whether the links have found what a call by the route's rule has made of a bill.

        Only documents that a look by number shows are compared: others may be gone, or bear another
        number.
        """
        if number in seen.linked:
            shown = {target.id for target in seen.bearing(number)}.intersection(made)
            found = bool(shown & seen.by_link)
            self.find_own = self.find_own or found
            self.missed_own = self.missed_own or (bool(shown) and not found)
