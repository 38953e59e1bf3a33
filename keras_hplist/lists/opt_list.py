"""The published `opt_list` format: the NAdamW list of Metz et al. (2020), in its two layouts."""

from collections.abc import Mapping
from typing import Any

from keras_hplist.errors import FileFormatError

PROVENANCE = {
    "source": "google-research/opt_list, Apache-2.0",
    "reference": "Metz et al. 2020, Using a thousand optimization tasks to learn hyperparameter "
    "search strategies, arXiv 2002.11887",
    "training": "10,000 steps; see as_published of the optimizer for what its code did differently",
}


def parse(document: Any, file: str) -> tuple[list[Mapping[str, Any]], list[str] | None]:
    """The configurations of a published list in order.

    Args:
        document: the JSON document: an array of configurations in list order, or an array of
            `{"rank": int, "name": str, "hyperparameters": configuration}` in any order.
        file: the file's name, for messages.

    Returns:
        The configurations, and their published names in the same order (None in the bare layout).

    Raises:
        FileFormatError: if the document has neither layout, a rank or name is none, or the ranks
            have gaps.
    """
    if not isinstance(document, list) or not document:
        raise FileFormatError(f"{file}: expected a JSON array of configurations, at least one.")
    for index, item in enumerate(document):
        if not isinstance(item, Mapping):
            raise FileFormatError(f"{file}: entry {index} is {item!r}; expected an object.")
    if "hyperparameters" not in document[0]:
        return document, None
    for index, item in enumerate(document):
        missing = [key for key in ("rank", "name", "hyperparameters") if key not in item]
        if missing:
            raise FileFormatError(f"{file}: entry {index} lacks the key {missing[0]!r}.")
        if not isinstance(item["hyperparameters"], Mapping):
            raise FileFormatError(f"{file}: entry {index}: hyperparameters must be an object.")
        if type(item["rank"]) is not int or not isinstance(item["name"], str):
            raise FileFormatError(
                f"{file}: entry {index}: rank must be a whole number and name a text; "
                f"got {item['rank']!r} and {item['name']!r}."
            )
    if sorted(item["rank"] for item in document) != list(range(len(document))):
        raise FileFormatError(f"{file}: the ranks must be 0 to {len(document) - 1}, each once.")
    ranked = sorted(document, key=lambda item: item["rank"])
    return [item["hyperparameters"] for item in ranked], [item["name"] for item in ranked]
