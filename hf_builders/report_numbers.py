"""Numbers as the report writes them: thousands apart, units said, and no share that is rounded to all or nothing."""

from __future__ import annotations


class Count(int):
    """A whole number that knows how to stand before its unit.

    >>> f"{Count(1234)}", f"{Count(1234):row}", f"{Count(1):row}", f"{Count(2):row stands|rows stand}"
    ('1,234', '1,234 rows', '1 row', '2 rows stand')
    """

    def __format__(self, unit: str) -> str:
        number = format(int(self), ",")
        if not unit:
            return number
        one, _, many = unit.partition("|")
        return f"{number} {one if self == 1 else many or f'{one}s'}"


def percent(share: float) -> str:
    """One decimal; what is not quite all, or not quite nothing, says so.

    >>> percent(0.694), percent(0), percent(0.00001), percent(0.99999), percent(1)
    ('69.4%', '0%', '< 0.1%', '> 99.9%', '100%')
    """
    if share in (0, 1):
        return f"{share:.0%}"
    if share < 0.0005:
        return "< 0.1%"
    if 0.9995 <= share < 1:
        return "> 99.9%"
    return f"{share:.1%}"


def num_bytes(size: int) -> str:
    """In units of 1,000, with the unit.

    >>> num_bytes(999), num_bytes(117_775), num_bytes(4_200_000_000)
    ('999 B', '117.8 kB', '4.2 GB')
    """
    amount, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{size} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"
