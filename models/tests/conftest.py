import json
from pathlib import Path

import numpy as np
import pytest

from shopd_models import linear, purchases, snapshot

ITEMS, CUSTOMERS, DAYS = 60, 150, 230


def rows(seed: int = 0) -> list[dict]:
    """A shop with four departments: whoever buys from one comes back for more of it, and some come without an account."""
    rng = np.random.default_rng(seed)
    found = []
    for c in range(CUSTOMERS):
        department = rng.integers(4)
        for k in range(rng.integers(2, 7)):
            day = int(rng.integers(DAYS))
            mine = np.flatnonzero(np.arange(ITEMS) % 4 == department)
            items = set(rng.choice(mine, rng.integers(2, 7), replace=False)) | {rng.integers(ITEMS)}
            for i in items:
                found.append({"customer": f"c{c}" if c % 10 else None, "order": f"o{c}-{k}", "sku": f"1{i:04d}", "title": f"thing {i % 4} no {i}",
                              "price": 1.0 + i % 7, "at": f"{np.datetime64('2025-01-01') + day}T10:00:00Z"})
    return sorted(found, key=lambda r: r["at"])


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "purchases.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows()), encoding="utf-8")
    return path


@pytest.fixture
def shop(export: Path) -> purchases.Purchases:
    return purchases.load_export(export)


@pytest.fixture
def text(shop: purchases.Purchases) -> np.ndarray:
    return linear.text_similarity(shop.titles, shop.skus)


@pytest.fixture
def known(shop: purchases.Purchases, text: np.ndarray) -> snapshot.Snapshot:
    return snapshot.take(shop, 200, text, np.array([], int))
