"""What the re-ranking network sees of each candidate. internal/recs/model/features.go computes the same."""

import numpy as np

from .snapshot import MONTHS, STATS, Snapshot

CANDIDATES = 300
TAIL = 10  # the last items of a history: what the customer is at now
FADE = 0.95

RELATIONS = ["together", "lately", "recent_month", "recent_two_months", "following", "beside", "similar"]
# How much each relation counts when candidates are chosen.
CHOICE = {"together": 1.0, "lately": 0.7, "recent_month": 0.4, "following": 0.3}
CHOICE_SALES = 0.1
FIT = ["together", "lately", "recent_month", "beside", "similar"]

NAMES = (
    ["choice"]
    + [f"{r}_{k}" for r in RELATIONS for k in ("share", "mean", "rank")]
    + ["together_tail", "lately_tail", "recent_month_tail", "beside_tail", "together_fading", "beside_best", "similar_best"]
    + STATS
    + ["price_difference", "price_distance"]
    + ["season", "season_tail", "season_likely", "season_tail_likely"]
    + ["history_length", "history_age", "history_tail_age", "history_now", "history_tail_now", "history_neighbours", "history_linked", "history_price_spread",
       "together_most", "recent_month_most", "following_most", "together_fit", "lately_fit", "recent_month_fit", "beside_fit", "similar_fit"]
)


def _share(v: np.ndarray) -> np.ndarray:
    return v / max(v.max(), 1e-6)


def _rank(v: np.ndarray) -> np.ndarray:
    place = np.empty(len(v))
    place[np.argsort(-v, kind="stable")] = np.arange(len(v))
    return np.log1p(place) / 6


def _likely(season: np.ndarray) -> np.ndarray:
    """How likely each month is the one in which these items were bought."""
    z = season.sum(0) / np.sqrt(len(season))
    e = np.exp(z - z.max())
    return e / e.sum()


def compute(s: Snapshot, history: np.ndarray, candidates: int = CANDIDATES) -> tuple[np.ndarray, np.ndarray]:
    """The candidates for a history of known, distinct items, oldest first, and their features.

    There are fewer candidates than asked for in a small shop; candidates are never in the history.
    """
    n = len(history)
    sums = {r: s.relations[r].sums(history) * float(s.relations[r].scale) for r in RELATIONS}
    choice = np.zeros(len(s.live))
    for r, weight in CHOICE.items():
        choice += weight * _share(sums[r])
    choice += CHOICE_SALES * _share(s.stats[:, STATS.index("sold_month")].astype(np.float64))
    choice[history] = -np.inf
    c = np.argsort(-choice, kind="stable")[:min(candidates, len(choice) - n)]

    tail = history[-TAIL:]
    f = [choice[c]]
    for r in RELATIONS:
        v = sums[r][c]
        f += [_share(v), v / np.sqrt(n), _rank(v)]
    f += [_share(s.relations[r].sums(tail)[c] * float(s.relations[r].scale)) for r in ("together", "lately", "recent_month", "beside")]
    fading = FADE ** np.arange(n - 1, -1, -1.0)
    f.append(_share(s.relations["together"].sums(history, fading)[c] * float(s.relations["together"].scale)))
    f += [s.relations[r].best(history)[c] * float(s.relations[r].scale) for r in ("beside", "similar")]
    f += list(s.stats[c].astype(np.float64).T)

    price = s.log_price.astype(np.float64)
    mean, spread = price[history].mean(), price[history].std()
    f += [price[c] - mean, np.abs(price[c] - mean) / (spread + 0.3)]

    season = s.season.astype(np.float64)
    of, of_tail = season[history], season[tail]
    likely, likely_tail = _likely(of), _likely(of_tail)
    f += [season[c] @ np.exp(of).mean(0) / MONTHS, season[c] @ np.exp(of_tail).mean(0) / MONTHS,
          np.log(np.exp(season[c]) @ likely), np.log(np.exp(season[c]) @ likely_tail)]

    months = np.arange(MONTHS)
    context = [np.log(n), likely @ months, likely_tail @ months, likely[0], likely_tail[0], *_neighbours(s, history), spread,
               np.log(max(sums["together"][c].max(), 1e-6)), np.log(max(sums["recent_month"][c].max(), 1e-6)),
               np.log(max(sums["following"][c].max(), 1e-6))]
    # How well the history explains itself: better for customers whom the relations were learned from.
    context += [np.clip(sums[r][history], 0, 1).mean() for r in FIT]
    f += [np.full(len(c), v) for v in context]
    return c, np.stack(f, 1).astype(np.float32)


def _neighbours(s: Snapshot, history: np.ndarray) -> tuple[float, float]:
    """How much items that follow one another in a history stand beside each other in orders, and how many do at all."""
    if len(history) < 2:
        return 0.0, 0.0
    r = s.relations["beside"]
    found = r.neighbour[history[:-1]] == history[1:, None]
    pairs = len(history) - 1
    return float(r.strength[history[:-1]].astype(np.float64)[found].sum()) * float(r.scale) / pairs, float(found.sum()) / pairs
