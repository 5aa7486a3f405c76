"""All that is known on the morning of a day: relations between items and numbers about each."""

from dataclasses import dataclass

import numpy as np

from .linear import Relation, beside, cosine, denoising, gram, inverse, matrix
from .purchases import NOBODY, Purchases

MONTH = 28
MONTHS = 13  # the last one holds everything older
DROPOUT = 0.5

# The numbers about an item, in the order of Snapshot.stats.
STATS = ["buyers", "sold_week", "sold_month", "sold_quarter", "trend_month", "trend_week", "age", "idle", "sold_all_month", "sold_all_trend"]


@dataclass
class Snapshot:
    """Relations and numbers; all numbers are float32, since that is what is written for serving."""

    relations: dict[str, Relation]
    stats: np.ndarray  # items x len(STATS)
    log_price: np.ndarray
    season: np.ndarray  # items x MONTHS, log of an item's share of a month by the shop's
    sales: np.ndarray  # customers of the last month: what is shown to whom nothing is known about
    live: np.ndarray


def take(p: Purchases, today: int, text: np.ndarray, without: np.ndarray, keep: int = 100) -> Snapshot:
    """What p tells up to the evening before today, without these customers."""
    n = len(p.skus)
    known = p.select((p.day < today) & (p.customer != NOBODY) & ~np.isin(p.customer, without))
    everyone = p.select(p.day < today)
    n_customers, n_orders = len(p.customers), int(p.order.max()) + 1

    customers = matrix(known.customer, known.item, n_customers, n)
    orders = matrix(known.order, known.item, n_orders, n)
    g_customers, g_orders = gram(customers), gram(orders)
    live = np.diag(g_customers) > 0

    together = denoising(g_customers + 0.5 * g_orders + 30 * text, DROPOUT, 200)

    # What is bought together lately: orders lose half their weight in 80 days.
    age = np.zeros(n_orders)
    age[known.order] = today - known.day
    g = gram(matrix(known.order, known.item, n_orders, n).multiply(np.sqrt(0.5 ** (age / 80))[:, None]).tocsr().astype(np.float32))
    lately = denoising(g + 8 * text, DROPOUT, 40)

    # What buyers of an item, at whatever time, bought in the last days: EASE with other targets.
    p_inv = inverse(g_customers + 30 * text, 600)
    recent = {}
    for days in (28, 56):
        m = known.day >= today - days
        target = (customers.T @ matrix(known.customer[m], known.item[m], n_customers, n)).toarray()
        b = p_inv @ (target + (30 * days / 320) * text)
        recent[days] = b - p_inv * (np.diag(b) / np.diag(p_inv))[None, :]
    # What customers who had an item bought for the first time in the four weeks after.
    g_past, g_next = np.zeros((n, n), np.float32), np.zeros((n, n), np.float32)
    for k in range(5):
        begin = today - MONTH * (k + 1)
        if begin < 60:
            break
        before, after = known.day < begin, (known.day >= begin) & (known.day < begin + MONTH)
        past = matrix(known.customer[before], known.item[before], n_customers, n)
        new = matrix(known.customer[after], known.item[after], n_customers, n)
        new = (new - new.multiply(past)).tocsr()
        came_back = np.asarray(new.sum(1)).ravel() > 0
        past, new = past[came_back], new[came_back]
        g_past += 0.8**k * gram(past)
        g_next += 0.8**k * (past.T @ new).toarray()
    following = inverse(g_past + 30 * text, 2000) @ g_next

    near = beside(known.order, known.item, n)
    near[np.diag_indices(n)] = np.diag(g_orders)
    similar = text.copy()
    np.fill_diagonal(similar, 0)

    relations = {r.name: r for r in (
        Relation.strongest("together", together, keep, live),
        Relation.strongest("lately", lately, keep, live),
        Relation.strongest("recent_month", recent[28], keep, live),
        Relation.strongest("recent_two_months", recent[56], keep, live),
        Relation.strongest("following", following, keep, live),
        Relation.strongest("beside", cosine(near), keep // 2, live),
        Relation.strongest("similar", similar, keep // 2, live),
    )}
    return Snapshot(relations, _stats(known, everyone, today, n), _log_price(known, n), _season(known, today, n),
                    _buyers(known, today - MONTH, today, n).astype(np.float32), live)


def _buyers(p: Purchases, begin: int, end: int, n: int) -> np.ndarray:
    m = (p.day >= begin) & (p.day < end)
    return np.asarray(matrix(p.customer[m], p.item[m], len(p.customers), n).sum(0)).ravel()


def _lines(p: Purchases, begin: int, end: int, n: int) -> np.ndarray:
    m = (p.day >= begin) & (p.day < end)
    return np.bincount(p.item[m], minlength=n).astype(float)


def _stats(p: Purchases, everyone: Purchases, today: int, n: int) -> np.ndarray:
    week, month, before = (_buyers(p, today - 7, today, n), _buyers(p, today - MONTH, today, n),
                           _buyers(p, today - 2 * MONTH, today - MONTH, n))
    quarter = _buyers(p, today - 3 * MONTH, today, n)
    lines, lines_before = _lines(everyone, today - MONTH, today, n), _lines(everyone, today - 2 * MONTH, today - MONTH, n)
    # Shops and months differ in size: in buyers for ten thousand.
    scale, lines_scale = 1e4 / max(month.sum(), 1), 3e4 / max(lines.sum(), 1)
    first, last = np.full(n, today, float), np.full(n, -1.0)
    np.minimum.at(first, everyone.item, everyone.day)
    np.maximum.at(last, everyone.item, everyone.day)
    return np.stack([
        np.log1p(_buyers(p, 0, today, n)), np.log1p(4 * week * scale), np.log1p(month * scale), np.log1p(quarter / 3 * scale),
        np.log1p(month) - np.log1p(before), np.log1p(4 * week) - np.log1p(month),
        np.log1p(today - first), np.log1p(np.maximum(today - 1 - last, 0)),
        np.log1p(lines * lines_scale), np.log1p(lines) - np.log1p(lines_before),
    ], 1).astype(np.float32)


def _log_price(p: Purchases, n: int) -> np.ndarray:
    count = np.bincount(p.item, minlength=n)
    mean = np.bincount(p.item, weights=np.log(p.price), minlength=n) / np.maximum(count, 1)
    return np.where(count > 0, mean, mean[count > 0].mean() if count.any() else 0).astype(np.float32)


def _season(p: Purchases, today: int, n: int) -> np.ndarray:
    month = np.minimum((today - 1 - p.day) // MONTH, MONTHS - 1)
    seen = np.unique(np.stack([p.customer, p.item, month], 1), axis=0)
    count = np.zeros((n, MONTHS))
    np.add.at(count, (seen[:, 1], seen[:, 2]), 1)
    shop = (count.sum(0) + 1) / (count.sum() + MONTHS)
    share = (count + 10 * shop) / (count.sum(1, keepdims=True) + 10)
    return np.log(share / shop).astype(np.float32)
