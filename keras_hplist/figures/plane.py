"""Tasks on a plane, by t-SNE."""

import numpy as np
from threadpoolctl import threadpool_limits

from keras_hplist.figures.material import NotApplicable

FEWEST = 8
"""Tasks from which on a map of them says something."""

_PERPLEXITY = 30.0
_DIGITS = 6  # of a score; what differs by less is the same to a reader
_DISTINCT = 3  # points from which on their distances say something


def on_plane(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Put vectors on a plane so that those lie together that are alike.

    Args:
        vectors: float64 (point, dimension), in units of score.
        seed: of t-SNE (van der Maaten and Hinton 2008).

    Returns:
        float64 (point, 2), no unit.

    Raises:
        NotApplicable: if they have one dimension, or fewer than three of them differ. t-SNE starts
            from principal components in units of their spread, and on a spread of 0 ends the whole
            process.
    """
    from sklearn.manifold import TSNE

    if vectors.shape[1] < 2:
        raise NotApplicable("A map takes scores of 2 configurations; there is 1.")
    distinct = len(np.unique(vectors.round(_DIGITS), axis=0))
    if distinct < _DISTINCT:
        raise NotApplicable(
            f"A map takes {_DISTINCT} tasks with scores of their own; the {len(vectors)} tasks "
            f"have {distinct} different {'row' if distinct == 1 else 'rows'} of scores between "
            "them, so that there is nothing to tell them apart by."
        )
    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    with threadpool_limits(1):  # threads gain little here, and wait for each other on busy cores
        places = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors)
    return places.astype(float)
