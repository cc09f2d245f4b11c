"""The offline embedder: TF-IDF of character n-grams, reduced by SVD (latent semantic analysis).

Needs no model and no network, and gives the same vectors for the same texts. It knows the set at hand and nothing of the language: it
finds reordered and reworded texts that share most of their characters, not synonyms.

Source: S. Deerwester et al., "Indexing by Latent Semantic Analysis", 1990; randomized SVD: N. Halko et al., 2011.
"""

from collections.abc import Sequence

import numpy as np

from datagen.dedup.semantic.vectors import Vectors, normalise
from datagen.text import fold

DIMENSIONS = 256
NGRAMS = (1, 3)
FEATURES = 1 << 17
"""Most frequent character n-grams that are kept."""


class TfidfEmbedder:
    """Fits on the texts it embeds: vectors of two calls cannot be compared."""

    name = "tfidf"
    threshold = 0.65

    def embed(self, texts: Sequence[str]) -> Vectors:
        from scipy.sparse.linalg import svds
        from sklearn.feature_extraction.text import TfidfVectorizer

        folded = [fold(text) for text in texts]
        if not any(folded):
            return np.zeros((len(texts), 1), dtype=np.float32)
        vectorizer = TfidfVectorizer(
            analyzer="char", ngram_range=NGRAMS, lowercase=False, sublinear_tf=True, max_features=FEATURES, dtype=np.float64
        )
        weights = vectorizer.fit_transform(folded)
        if min(weights.shape) <= DIMENSIONS + 1:
            # A small set needs no reduction, and loses nothing.
            return normalise(weights.toarray())
        start = np.random.Generator(np.random.PCG64(0)).standard_normal(min(weights.shape))
        left, values, _ = svds(weights, k=DIMENSIONS, v0=start)
        return normalise(left * values)
