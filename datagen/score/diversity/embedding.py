"""An offline embedding: character n-grams weighted by TF-IDF, reduced by a truncated SVD. Deterministic, Chinese and English alike.

It sees wording, not meaning: two phrasings of one fact are apart, two facts in one phrasing are near. That is enough to compare sets made
the same way; vectors from a model can be given instead wherever these are taken.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from datagen.dedup.semantic.vectors import Vectors, normalise
from datagen.text import fold

DIMENSIONS = 64
LONGEST = 400
"""Characters of a text that are read: topics show early, and cost stays linear in rows."""
MOST_GRAMS = 20_000
"""The most frequent n-grams; rarer ones are noise to an SVD of this rank."""


def embed_texts(texts: Sequence[str], *, dimensions: int = DIMENSIONS) -> Vectors:
    """Return one unit vector per text, float32 of shape (n, d) with d <= ``dimensions``; a text without letters is the zero vector.

    Character 2- and 3-grams of folded text, sublinear TF, smoothed IDF, then SVD (latent semantic analysis: Deerwester et al. 1990) with a
    fixed seed. Vectors of two calls are not comparable: embed sets together to compare them. Cost: about 0.5 ms a text.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    folded = [fold(text[:LONGEST]) for text in texts]
    if not any(len(text) > 1 for text in folded):
        return np.zeros((len(texts), 1), dtype=np.float32)
    vectorizer = TfidfVectorizer(
        analyzer="char",
        ngram_range=(2, 3),
        sublinear_tf=True,
        lowercase=False,
        max_features=MOST_GRAMS,
        dtype=np.float32,  # pyright: ignore[reportArgumentType]
    )
    weights = vectorizer.fit_transform(folded)
    rank = min(dimensions, weights.shape[0] - 1, weights.shape[1] - 1)
    if rank < 2:
        return normalise(np.asarray(weights.todense(), dtype=np.float32))
    reduced = TruncatedSVD(rank, algorithm="randomized", n_iter=4, random_state=0).fit_transform(weights)
    return normalise(reduced.astype(np.float32))


def project(vectors: Vectors) -> npt.NDArray[np.float64]:
    """Return a 2-D map, float64 of shape (n, 2): the first two principal components, signs fixed. Deterministic."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    axes *= np.where(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]
    places = centred @ axes.T
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
