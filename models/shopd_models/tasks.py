"""Questions with known answers: what a customer had, and what came of it."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from .purchases import NOBODY, Purchases

# newuser: a fifth of the items of a customer the model never saw is hidden.
# future:  what a known customer buys for the first time in the next four weeks.
# basket:  a third of an order of the next four weeks is hidden.
KINDS = ("newuser", "future", "basket")


@dataclass
class Task:
    kind: str
    history: np.ndarray  # distinct known items, oldest first
    targets: frozenset[int]
    n_targets: int  # with items the model does not know
    id: str = ""


def _hide(items: list[int], share: float, rng: np.random.Generator) -> tuple[np.ndarray, frozenset[int]]:
    hidden = np.zeros(len(items), bool)
    hidden[rng.choice(len(items), max(1, round(share * len(items))), replace=False)] = True
    a = np.array(items)
    return a[~hidden], frozenset(a[hidden].tolist())


def build(p: Purchases, today: int, unseen: np.ndarray, without: np.ndarray, rng: np.random.Generator) -> list[Task]:
    """Tasks of the four weeks from today on. unseen are the customers whom a snapshot left out; without do not exist."""
    p = p.select((p.customer != NOBODY) & ~np.isin(p.customer, without))
    strangers = set(unseen.tolist())
    past: dict[int, dict[int, None]] = defaultdict(dict)
    bought: dict[int, dict[int, None]] = defaultdict(dict)
    baskets: dict[int, dict[int, None]] = defaultdict(dict)
    for c, o, i, d in zip(p.customer.tolist(), p.order.tolist(), p.item.tolist(), p.day.tolist()):
        if d < today:
            past[c].setdefault(i)
        elif d < today + 28 and c not in strangers:
            bought[c].setdefault(i)
            baskets[o].setdefault(i)
    tasks = []
    for c in sorted(strangers & past.keys()):
        if len(past[c]) >= 10:
            history, targets = _hide(list(past[c]), 0.2, rng)
            tasks.append(Task("newuser", history, targets, len(targets)))
    for c, items in bought.items():
        new = frozenset(items.keys() - past[c].keys())
        if past[c] and new:
            tasks.append(Task("future", np.array(list(past[c])), new, len(new)))
    for items in baskets.values():
        if len(items) >= 3:
            history, targets = _hide(list(items), 1 / 3, rng)
            tasks.append(Task("basket", history, targets, len(targets)))
    return tasks


def from_rows(rows: list[dict], skus: list[str]) -> list[Task]:
    """Tasks as data sets publish them: {"qid","task","history","targets","targets_new"?}; items that the model does not know cannot be found."""
    index = {s: i for i, s in enumerate(skus)}
    tasks = []
    for r in rows:
        history = list(dict.fromkeys(index[s] for s in r["history"] if s in index))
        answers = set(r.get("targets_new", r["targets"])) - set(r["history"])
        tasks.append(Task(r["task"], np.array(history, int), frozenset(index[s] for s in answers if s in index), len(answers), r["qid"]))
    return tasks
