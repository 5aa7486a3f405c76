"""What was bought: the one input of every model."""

import csv
import datetime as dt
import gzip
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Whoever bought without an account. Such rows count for how much is sold, not for who bought what with what.
NOBODY = -1


@dataclass
class Purchases:
    """Lines of orders in the order in which they were written.

    The arrays are parallel: customer, order and item are indexes, day counts from the first day in the data.
    """

    customer: np.ndarray
    order: np.ndarray
    item: np.ndarray
    day: np.ndarray
    price: np.ndarray
    skus: list[str]
    titles: list[str]
    customers: list[str]
    first_day: dt.date

    def day_of(self, date: str) -> int:
        return (dt.date.fromisoformat(date) - self.first_day).days

    def date_of(self, day: int) -> str:
        return (self.first_day + dt.timedelta(days=int(day))).isoformat()

    def select(self, mask: np.ndarray) -> "Purchases":
        """The lines of a mask; indexes keep their meaning."""
        return Purchases(self.customer[mask], self.order[mask], self.item[mask], self.day[mask], self.price[mask],
                         self.skus, self.titles, self.customers, self.first_day)

    def with_items(self, items: np.ndarray) -> "Purchases":
        """Only the lines of these items, which get indexes in the order given."""
        new = np.full(len(self.skus), -1)
        new[items] = np.arange(len(items))
        kept = self.select(new[self.item] >= 0)
        kept.item = new[kept.item]
        kept.skus = [self.skus[i] for i in items]
        kept.titles = [self.titles[i] for i in items]
        return kept


class _Builder:
    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, dt.date, float]] = []
        self.customers: dict[str, int] = {}
        self.orders: dict[str, int] = {}
        self.items: dict[str, int] = {}
        self.titles: list[Counter] = []

    def add(self, customer: str, order: str, sku: str, title: str, day: dt.date, price: float) -> None:
        who = self.customers.setdefault(customer, len(self.customers)) if customer else NOBODY
        item = self.items.setdefault(sku, len(self.items))
        if item == len(self.titles):
            self.titles.append(Counter())
        if title:
            self.titles[item][title] += 1
        self.rows.append((who, self.orders.setdefault(order, len(self.orders)), item, day, price))

    def build(self) -> Purchases:
        if not self.rows:
            raise ValueError("there is no purchase in the data")
        first = min(r[3] for r in self.rows)
        who, order, item, day, price = zip(*self.rows)
        return Purchases(np.array(who), np.array(order), np.array(item), np.array([(d - first).days for d in day]),
                         np.array(price), list(self.items),
                         [c.most_common(1)[0][0] if c else "" for c in self.titles], list(self.customers), first)


def _open(path: Path):
    return gzip.open(path, "rt", encoding="utf-8", newline="") if path.suffix == ".gz" else open(path, encoding="utf-8", newline="")


_PRODUCT = re.compile(r"^\d{5}[A-Z]{0,2}$")


def load_online_retail(path: Path) -> Purchases:
    """UCI Online Retail: products only, no cancellations, nothing that was given away."""
    b = _Builder()
    with _open(path) as f:
        for row in csv.DictReader(f):
            sku, price = row["StockCode"].upper(), float(row["UnitPrice"])
            if not _PRODUCT.match(sku) or row["InvoiceNo"].startswith("C") or int(row["Quantity"]) <= 0 or price <= 0:
                continue
            b.add(row["CustomerID"], row["InvoiceNo"], sku, row["Description"].strip().upper(),
                  dt.date.fromisoformat(row["InvoiceDate"][:10]), price)
    return b.build()


def load_export(path: Path) -> Purchases:
    """JSON lines {"customer" or null, "order", "sku", "title", "price", "at"}, in the order of purchase.

    price is in units of the currency, at is RFC 3339.
    """
    b = _Builder()
    with _open(path) as f:
        for number, line in enumerate(f, 1):
            try:
                row = json.loads(line)
                b.add(row["customer"] or "", row["order"], row["sku"], row["title"].strip().upper(),
                      dt.datetime.fromisoformat(row["at"]).date(), float(row["price"]))
            except (ValueError, KeyError, TypeError, AttributeError) as e:
                raise ValueError(f"{path}, line {number}: {e!r}") from e
    return b.build()
