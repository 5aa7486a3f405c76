"""How good a list is."""

from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np

from .tasks import Task

K = 20
DISCOUNT = 1 / np.log2(np.arange(K) + 2)


def ndcg(items: Iterable[int], task: Task) -> float:
    """NDCG@20: 1 when all targets, or 20 of them, come first."""
    hits = np.array([i in task.targets for i in list(items)[:K]], float)
    return float(hits @ DISCOUNT[: len(hits)] / DISCOUNT[: min(K, task.n_targets)].sum())


def best(scores: np.ndarray, history: np.ndarray, k: int = K) -> np.ndarray:
    """The k items with the highest scores that are not in the history; equal ones in the order of the vocabulary."""
    scores = scores.astype(np.float64)
    scores[history] = -np.inf
    return np.argsort(-scores, kind="stable")[: min(k, len(scores) - len(history))]


def evaluate(tasks: list[Task], recommend: Callable[[np.ndarray], Iterable[int]]) -> dict[str, float]:
    """Mean NDCG@20 by kind of task."""
    by_kind = defaultdict(list)
    for t in tasks:
        by_kind[t.kind].append(ndcg(recommend(t.history), t))
    return {kind: round(float(np.mean(v)), 4) for kind, v in by_kind.items()}
