"""The range of an expression from its slopes: the mean value form and monotone coordinates.

For a centre c of a box, ``f(x) = f(c) + sum of slope_i(at some point between) (x_i - c_i)``, so
that f lies in ``f(c) + sum of slope_i(box) (x_i - c_i)`` (Moore 1966; Neumaier, *Interval Methods
for Systems of Equations*, 1990, section 2.3). At a kink the slopes are those of Clarke's
generalized gradient, for which the mean value theorem holds (Lebourg 1975; Clarke 1983, theorem
2.3.7). Where a slope has one sign, the extremes by that coordinate lie at its ends.
"""

from contraction_checker.expressions import Expression
from contraction_checker.range_values import RangeValues
from contraction_checker.ranges import INF, Range, point
from contraction_checker.refusals import NotProvedError


def mean_value_range(
    name: str,
    slopes: dict[str, Expression],
    coordinates: dict[str, Range],
    box: RangeValues,
) -> Range:
    """A range of a name over a box, at most as wide as its natural one.

    Args:
        name: What is enclosed.
        slopes: Its slopes, by all coordinates by which it has any.
        coordinates: The box, with a range for each coordinate.
        box: Natural ranges over the box.

    Raises:
        OutsideError: If no point of the region lies in the box.
    """
    try:
        whole = RangeValues(coordinates, box.bindings)
        whole.evaluate(name)  # the forms need it to be defined in the whole box
        low, high, centre = dict(coordinates), dict(coordinates), dict(coordinates)
        mean: Range | None = None
        for coordinate, expression in slopes.items():
            slope, x = whole.evaluate(expression), coordinates[coordinate]
            centre[coordinate] = _middle(x)
            moved = slope * (x - centre[coordinate])
            mean = moved if mean is None else mean + moved
            if slope.lo >= 0:
                _set_end(low, coordinate, x.lo)
                _set_end(high, coordinate, x.hi)
            elif slope.hi <= 0:
                _set_end(low, coordinate, x.hi)
                _set_end(high, coordinate, x.lo)
        lowest, highest, middle = (
            RangeValues(at, box.bindings)[name] for at in (low, high, centre)
        )
    except NotProvedError:  # undefined somewhere: these forms say nothing
        return box[name]
    found = box[name].intersected(Range(lowest.lo, highest.hi))
    return found if mean is None else found.intersected(middle + mean)


def _middle(x: Range) -> Range:
    if x.lo > -INF and x.hi < INF:
        return point((x.lo + x.hi) // 2)
    return point(max(x.lo, min(x.hi, 0)))


def _set_end(ends: dict[str, Range], coordinate: str, end: int) -> None:
    if abs(end) < INF:
        ends[coordinate] = point(end)
