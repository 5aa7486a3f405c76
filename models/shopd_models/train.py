"""Trains both models, measures them beside simple ones, and writes their directories.

    python -m shopd_models.train online-retail --data DIR --out DIR [--everything]
    python -m shopd_models.train shop --purchases purchases.jsonl.gz --out DIR
"""

import argparse
import gzip
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import artifact, features, linear, metrics, network, purchases, snapshot, tasks
from .purchases import NOBODY, Purchases

RANK = 384
# The network learns on four weeks each from these many days before the end of the data on.
LESSONS = (28, 42, 56, 70, 84, 112, 140)
# How many customers the relations of a lesson do not know, so that there are strangers to learn on.
STRANGERS = 0.22
# Networks that differ in how they began make different mistakes: their mean makes fewer.
SEEDS = (0, 1, 2)

SOURCE = "UCI Online Retail (Daqing Chen, doi:10.24432/C5BW33), CC BY 4.0"
NOTHING = np.array([], int)

_begin = time.monotonic()


def say(text: str) -> None:
    print(f"{time.monotonic() - _begin:6.0f} s  {text}", file=sys.stderr, flush=True)


@dataclass
class Lesson:
    """Lists of candidates for tasks, and which of them were right."""

    features: np.ndarray
    hits: np.ndarray
    tasks: list[tasks.Task]
    candidates: list[np.ndarray]

    @staticmethod
    def of(s: snapshot.Snapshot, some: list[tasks.Task]) -> "Lesson":
        some = [t for t in some if len(t.history)]
        f, hits, chosen = [], [], []
        for t in some:
            c, x = features.compute(s, t.history)
            full = np.zeros((features.CANDIDATES, x.shape[1]), np.float32)
            full[: len(c)] = x
            f.append(full)
            hits.append(np.pad(np.isin(c, list(t.targets)), (0, features.CANDIDATES - len(c))))
            chosen.append(c)
        return Lesson(np.stack(f), np.stack(hits), some, chosen)


def vocabulary(p: Purchases, today: int, without: np.ndarray) -> np.ndarray:
    """Items that customers bought before today."""
    return np.unique(p.item[(p.day < today) & (p.customer != NOBODY) & ~np.isin(p.customer, without)])


def lessons(p: Purchases, today: int, text: np.ndarray, without: np.ndarray) -> dict[int, Lesson]:
    """Lessons by the days that they lie back."""
    everyone = np.setdiff1d(np.unique(p.customer[(p.customer != NOBODY) & (p.day < today)]), without)
    found = {}
    for back in LESSONS:
        day = today - back
        # Half of what is known must come before.
        if day < max(28, today / 3):
            break
        rng = np.random.default_rng(back)
        strangers = rng.permutation(everyone)[: round(STRANGERS * len(everyone))]
        some = tasks.build(p.select(p.day < today), day, strangers, without, rng)
        if not some:
            continue
        s = snapshot.take(p, day, text, np.union1d(strangers, without))
        found[back] = Lesson.of(s, some)
        say(f"{p.date_of(day)}: {len(found[back].tasks)} lists to learn from")
    if not found:
        raise SystemExit("the purchases cover too short a time to learn from: v2 needs about three months")
    return found


def teach(some: list[Lesson]) -> network.Network:
    f, hits = np.concatenate([x.features for x in some]), np.concatenate([x.hits for x in some])
    return network.Network.average([network.train(f, hits, seed=seed) for seed in SEEDS])


def baselines(p: Purchases, today: int, without: np.ndarray) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """What every model has to beat."""
    known = p.select((p.day < today) & (p.customer != NOBODY) & ~np.isin(p.customer, without))
    n = len(p.skus)
    g = linear.gram(linear.matrix(known.customer, known.item, len(p.customers), n))
    month = known.select(known.day >= today - 28)
    popular = np.asarray(linear.matrix(month.customer, month.item, len(p.customers), n).sum(0)).ravel()
    knn, ease = linear.cosine(g), linear.ease(g, 300)
    return {
        "popularity": lambda h: metrics.best(popular, h),
        "item-knn": lambda h: metrics.best(knn[h].sum(0), h),
        "ease": lambda h: metrics.best(ease[h].sum(0), h),
    }


def table(measured: dict[str, dict[str, float]]) -> None:
    print(f"{'NDCG@20':24}" + "".join(f"{k:>10}" for k in tasks.KINDS))
    for name, m in measured.items():
        print(f"{name:24}" + "".join(f"{m.get(k, float('nan')):10.4f}" for k in tasks.KINDS), flush=True)


@dataclass
class Plan:
    """What is trained on and where it goes."""

    name: str
    source: str
    p: Purchases
    today: int
    without: np.ndarray
    out: Path
    # Tasks after today; without them there is only the inner split to measure on.
    questions: Callable[[list[str]], list[tasks.Task]] | None = None


def run(plan: Plan) -> dict[str, dict[str, float]]:
    p, today, without = plan.p.with_items(vocabulary(plan.p, plan.today, plan.without)), plan.today, plan.without
    text = linear.text_similarity(p.titles, p.skus)
    say(f"{len(p.skus)} items, up to {p.date_of(today)}")

    learned = lessons(p, today, text, without)
    measured = {}
    if len(learned) > 1:
        newest = min(learned)
        # Only what was over when the newest lesson began.
        earlier = [x for back, x in learned.items() if back >= newest + 28]
        if earlier:
            inner, asked = teach(earlier), learned[newest]
            say("inner split: taught")
            ranked = (c[np.argsort(-inner.score(f[: len(c)]).astype(np.float64), kind="stable")] for f, c in zip(asked.features, asked.candidates))
            measured["inner split: choice"] = metrics.evaluate(asked.tasks, _in_turn(asked.candidates))
            measured["inner split: v2"] = metrics.evaluate(asked.tasks, _in_turn(ranked))
    net = teach(list(learned.values()))
    del learned
    say("v2: taught")

    known = p.select((p.day < today) & (p.customer != NOBODY) & ~np.isin(p.customer, without))
    n_orders = int(p.order.max()) + 1
    g = (linear.gram(linear.matrix(known.customer, known.item, len(p.customers), len(p.skus)))
         + 0.5 * linear.gram(linear.matrix(known.order, known.item, n_orders, len(p.skus))) + 30 * text)
    v1 = artifact.Factorisation(*linear.factors(g, snapshot.DROPOUT, 200, min(RANK, max(1, len(p.skus) // 2))))
    say("v1: factorised")
    today_snapshot = snapshot.take(p, today, text, without)
    v2 = artifact.Reranker(today_snapshot, net)
    if plan.questions:
        asked = plan.questions(p.skus)
        models = baselines(p, today, without) | {"v1": lambda h: v1.recommend(h, 20)[0], "v2": lambda h: v2.recommend(h, 20)[0]}
        for name, recommend in models.items():
            measured[name] = metrics.evaluate(asked, lambda h: recommend(h) if len(h) else [])
    table(measured)

    for version, model in (("v1", v1), ("v2", v2)):
        about = artifact.About(plan.name, f"{version}-{p.date_of(today)}", plan.source, p.date_of(known.day.min()), p.date_of(today - 1),
                               len(np.unique(known.customer)), len(np.unique(known.order)), measured)
        artifact.write(plan.out / f"{plan.name}-{version}", model, about, p.skus, today_snapshot.sales)
        say(f"wrote {plan.out / f'{plan.name}-{version}'}")
    return measured


def _in_turn(lists) -> Callable[[np.ndarray], np.ndarray]:
    """Answers the tasks of a lesson in their order."""
    it = iter(lists)
    return lambda _: next(it)


def online_retail(data: Path, out: Path, everything: bool) -> Plan:
    p = purchases.load_online_retail(data / "transactions.csv.gz")
    split = json.loads((data / "dev_split.json").read_text())
    if everything:
        return Plan("online-retail-everything", SOURCE, p, p.day_of(split["holdout_start"]), NOTHING, out)
    index = {c: i for i, c in enumerate(p.customers)}
    without = np.array([index[c] for c in split["dev_users"] if c in index])

    def questions(skus: list[str]) -> list[tasks.Task]:
        with gzip.open(data / "recs_dev.jsonl.gz", "rt", encoding="utf-8") as f:
            return tasks.from_rows([json.loads(line) for line in f], skus)

    return Plan("online-retail", SOURCE, p, p.day_of(split["dev_start"]), without, out, questions)


def shop(path: Path, out: Path, name: str) -> Plan:
    p = purchases.load_export(path)
    return Plan(name, "orders of the shop", p, int(p.day.max()) + 1, NOTHING, out)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="shopd_models.train", description="Trains the recommendation models that shopd serves.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    a = kinds.add_parser("online-retail", help="the public benchmark")
    a.add_argument("--data", type=Path, required=True, help="directory with transactions.csv.gz, dev_split.json and recs_dev.jsonl.gz")
    a.add_argument("--everything", action="store_true", help="train on all of the data, for questions about what comes after it")
    b = kinds.add_parser("shop", help="purchases of a shop")
    b.add_argument("--purchases", type=Path, required=True, help='JSON lines {"customer","order","sku","title","price","at"}')
    b.add_argument("--name", default="shop", help="first part of the names of the directories")
    for k in (a, b):
        k.add_argument("--out", type=Path, required=True, help="where the directories of the models go")
    args = parser.parse_args(argv)
    run(online_retail(args.data, args.out, args.everything) if args.kind == "online-retail" else shop(args.purchases, args.out, args.name))


if __name__ == "__main__":
    main()
