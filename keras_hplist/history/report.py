"""What a reader took in, what it left out, and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keras_hplist.history.places import Place


@dataclass
class ReadReport:
    """Counts and reasons of one reading; `str(report)` is a paragraph for people.

    Attributes:
        source: where the runs came from: paths, URLs.
        read: the number of runs that were taken.
        dropped: pairs of what was left out (a file, a trial) and why.
        notes: what was assumed about the runs that were taken.
        places: of the tasks that are called by where they were found, by their names.
    """

    source: list[str] = field(default_factory=list)
    read: int = 0
    dropped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)

    def drop(self, what: str, why: str) -> None:
        """Note that something was left out."""
        self.dropped.append((what, why))

    def note(self, text: str) -> None:
        """Note an assumption, once."""
        if text not in self.notes:
            self.notes.append(text)

    def add_places(self, named: Mapping[Place, Place]) -> None:
        """Take in the places after which tasks are called, by the places as they were found.

        Where a name had to bear a part of its path, there is a note.
        """
        self.places |= {place[-1]: place for place in named.values()}
        longer = sorted(place[-1] for found, place in named.items() if place != found)
        if longer:
            self.note(
                f"tasks of the same name stand in several places: {', '.join(longer)}; if they are "
                "one, name it with task='…'"
            )

    @classmethod
    def merged(cls, reports: Iterable["ReadReport"]) -> "ReadReport":
        """The report of several readings as one."""
        total = cls()
        for report in reports:
            total.source += report.source
            total.read += report.read
            total.dropped += report.dropped
            total.places |= report.places
            for text in report.notes:
                total.note(text)
        return total

    def __str__(self) -> str:
        """How many runs were read and dropped, and for what reasons."""
        sources = ", ".join(self.source) or "memory"
        lines = [f"{self.read} runs read from {sources}; {len(self.dropped)} dropped."]
        for why, count in Counter(why for _, why in self.dropped).most_common():
            examples = [what for what, reason in self.dropped if reason == why][:3]
            more = ", …" if count > len(examples) else ""
            lines.append(f"  {count} x {why}: {', '.join(examples)}{more}")
        lines += [f"  note: {text}" for text in self.notes]
        return "\n".join(lines)
