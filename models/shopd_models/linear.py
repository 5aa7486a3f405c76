"""Linear models over items: each says how much one bought item speaks for another."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack
from sklearn.feature_extraction.text import TfidfVectorizer


def matrix(rows: np.ndarray, items: np.ndarray, n_rows: int, n_items: int) -> sp.csr_matrix:
    """One where a row (a customer, an order) has an item, however often."""
    m = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, items)), shape=(n_rows, n_items))
    m.data[:] = 1
    return m


def gram(m: sp.csr_matrix) -> np.ndarray:
    return (m.T @ m).toarray().astype(np.float32)


def inverse(g: np.ndarray, ridge: np.ndarray | float) -> np.ndarray:
    """The inverse of g with ridge on its diagonal; g is symmetric."""
    g = g.astype(np.float32)
    g[np.diag_indices_from(g)] += ridge
    factor, bad = lapack.spotrf(g, lower=1)
    if bad:
        raise np.linalg.LinAlgError(f"not positive definite at {bad}")
    p, _ = lapack.spotri(factor, lower=1)
    p = np.tril(p)
    return p + np.tril(p, -1).T


def ease(g: np.ndarray, ridge: float) -> np.ndarray:
    """EASE (Steck 2019): each item from all others, itself left out."""
    p = inverse(g, ridge)
    b = -p / np.diag(p)[None, :]
    np.fill_diagonal(b, 0)
    return b


def dropout_ridge(g: np.ndarray, dropout: float, ridge: float) -> np.ndarray:
    """What dropping inputs at random adds to the diagonal (Steck 2020): often bought items are trusted less blindly."""
    return (dropout * np.diag(g) + ridge).astype(np.float32)


def denoising(g: np.ndarray, dropout: float, ridge: float) -> np.ndarray:
    """The full-rank linear denoising autoencoder (g + R)^-1 g, without its diagonal."""
    r = dropout_ridge(g, dropout, ridge)
    b = -inverse(g, r) * r[None, :]
    np.fill_diagonal(b, 0)
    return b


def factors(g: np.ndarray, dropout: float, ridge: float, rank: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The best factorisation of the denoising autoencoder: histories @ a @ b are the scores.

    Least squares over the same data limits the rank by projecting on the leading eigenvectors of the fitted values.
    """
    r = dropout_ridge(g, dropout, ridge)
    w = -inverse(g, r) * r[None, :]
    w[np.diag_indices_from(w)] += 1
    fitted = g @ w
    fitted = (fitted + fitted.T) / 2
    rng = np.random.default_rng(seed)
    q = rng.normal(size=(len(g), rank + 40)).astype(np.float32)
    for _ in range(6):
        q, _ = np.linalg.qr(fitted @ q)
    _, v = np.linalg.eigh(q.T @ (fitted @ q))
    v = (q @ v[:, ::-1])[:, :rank]
    return np.ascontiguousarray(w @ v), np.ascontiguousarray(v.T)


def cosine(g: np.ndarray, shrink: float = 5) -> np.ndarray:
    """Item-kNN: how often two are bought by the same, for how often they are bought."""
    n = np.diag(g) + shrink
    c = g / np.sqrt(n[:, None] * n[None, :])
    np.fill_diagonal(c, 0)
    return c


def beside(order: np.ndarray, item: np.ndarray, n: int, reach: int = 3) -> np.ndarray:
    """Items written one below the other in an order, nearer ones counting more."""
    near = sp.csr_matrix((n, n), dtype=np.float32)
    for d in range(1, reach + 1):
        same = order[d:] == order[:-d]
        near = near + sp.csr_matrix((np.full(same.sum(), 1 / d, np.float32), (item[:-d][same], item[d:][same])), shape=(n, n))
    return (near + near.T).toarray()


def text_similarity(titles: list[str], skus: list[str]) -> np.ndarray:
    """Cosine of titles. The first digits of a sku count as words: makers number what belongs together in a row."""
    docs = [f"{t} sku{s[:3]} sku{s[:4]} sku{s[:5]}" for t, s in zip(titles, skus)]
    t = TfidfVectorizer(token_pattern=r"\w{2,}", min_df=2, sublinear_tf=True, ngram_range=(1, 2)).fit_transform(docs)
    return (t @ t.T).toarray().astype(np.float32)


@dataclass
class Relation:
    """The strongest neighbours of every item. strength * scale is the value; whole numbers add up to the same sum in
    any order and language."""

    name: str
    neighbour: np.ndarray  # items x kept, uint16
    strength: np.ndarray  # items x kept, int16
    scale: np.float32

    @staticmethod
    def strongest(name: str, values: np.ndarray, keep: int, live: np.ndarray) -> "Relation":
        """What speaks against an item is kept as well, it is part of what makes linear models good."""
        values = np.where(live[None, :], values, 0)
        keep = min(keep, len(values) - 1)
        idx = np.argpartition(-np.abs(values), keep, axis=1)[:, :keep]
        idx.sort(axis=1)
        kept = np.take_along_axis(values, idx, 1)
        scale = np.float32(max(np.abs(kept).max(), 1e-6) / 32767)
        return Relation(name, idx.astype(np.uint16), np.rint(kept / scale).astype(np.int16), scale)

    def sums(self, history: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """For every item what the history says for it, in units of scale."""
        s = self.strength[history].astype(np.float64)
        if weights is not None:
            s *= weights[:, None]
        return np.bincount(self.neighbour[history].ravel(), weights=s.ravel(), minlength=len(self.neighbour))

    def best(self, history: np.ndarray) -> np.ndarray:
        """For every item the most that one item of the history says for it, in units of scale; 0 where none does."""
        top = np.zeros(len(self.neighbour))
        np.maximum.at(top, self.neighbour[history].ravel(), self.strength[history].ravel().astype(np.float64))
        return top
