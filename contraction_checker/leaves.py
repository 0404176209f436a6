"""Cuts of a box, a tree in preorder: ``[axis, place]`` cuts a box in two, None is a leaf.

Whatever the numbers are, the leaves cover the box: each cut leaves two parts whose union is the
whole.
"""

from collections.abc import Iterator

from contraction_checker.json_parts import Json, real, tuple_of
from contraction_checker.ranges import Range, near
from contraction_checker.refusals import MalformedError

Box = list[Range]


def leaves(cuts: Iterator[Json], box: Box) -> Iterator[Box]:
    """The leaves below a box; takes from the cuts what belongs to it.

    Raises:
        MalformedError: If the tree ends early, or a cut does not cut its box.
    """
    cut = next(cuts, "the end")
    if cut is None:
        yield box
        return
    axis, place = tuple_of(cut, 2)
    if type(axis) is not int or not 0 <= axis < len(box):
        raise MalformedError(f"cuts: {cut} does not cut")
    x, at = box[axis], near(real(place))
    if not x.lo <= at.lo <= at.hi <= x.hi:
        raise MalformedError(f"cuts: {cut} does not cut")
    for part in (Range(x.lo, at.hi), Range(at.lo, x.hi)):
        yield from leaves(cuts, [*box[:axis], part, *box[axis + 1 :]])
