"""Model directories, as internal/recs/model reads them."""

import gzip
import hashlib
import json
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from . import features, graph
from .metrics import best
from .network import CLIP, Network
from .snapshot import Snapshot

FORMAT = 1
GOLDEN_HISTORIES = 1000


@dataclass
class About:
    """What a manifest tells of a model."""

    name: str
    version: str
    source: str
    since: str
    until: str
    customers: int
    orders: int
    metrics: dict


class Model(Protocol):
    """What can be written: it answers a history of known items with items and scores."""

    def recommend(self, history: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]: ...
    def files(self, vocabulary: bytes) -> dict[str, bytes]: ...
    def manifest(self) -> dict: ...


@dataclass
class Factorisation:
    a: np.ndarray
    b: np.ndarray

    def recommend(self, history: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        scores = self.a[history].sum(0) @ self.b
        items = best(scores, history, k)
        return items, scores[items]

    def files(self, vocabulary: bytes) -> dict[str, bytes]:
        return {"model.onnx": graph.factorisation(self.a, self.b)}

    def manifest(self) -> dict:
        shape = [1, len(self.a)]
        return {"kind": "factorisation", "graph": _graph(shape, shape)}


@dataclass
class Reranker:
    snapshot: Snapshot
    network: Network

    def recommend(self, history: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        candidates, f = features.compute(self.snapshot, history)
        scores = self.network.score(f)
        order = np.argsort(-scores.astype(np.float64), kind="stable")[:k]
        return candidates[order], scores[order]

    def files(self, vocabulary: bytes) -> dict[str, bytes]:
        return {"model.onnx": graph.reranker(self.network, features.CANDIDATES), "items.bin": pack_items(self.snapshot, vocabulary)}

    def manifest(self) -> dict:
        columns = [{"name": n, "mean": float(m), "spread": float(s)}
                   for n, m, s in zip(features.NAMES, self.network.mean, self.network.spread, strict=True)]
        return {"kind": "reranker", "graph": _graph([features.CANDIDATES, len(columns)], [features.CANDIDATES, 1]),
                "items": "items.bin", "features": columns, "clip": CLIP}


def _graph(shape_in: list[int], shape_out: list[int]) -> dict:
    return {"file": "model.onnx", "input": {"name": graph.INPUT, "shape": shape_in}, "output": {"name": graph.OUTPUT, "shape": shape_out}}


def pack_items(s: Snapshot, vocabulary: bytes) -> bytes:
    """Little endian; internal/recs/model/items.go says what is where."""
    n = len(s.live)
    parts = [b"SHOPRECS", struct.pack("<II", FORMAT, n), hashlib.sha256(vocabulary).digest()]
    for name in features.RELATIONS:
        r = s.relations[name]
        parts += [struct.pack("<If", r.neighbour.shape[1], r.scale), r.neighbour.astype("<u2").tobytes(), r.strength.astype("<i2").tobytes()]
    parts += [a.astype("<f4").tobytes() for a in (s.stats, s.log_price, s.season)]
    return b"".join(parts)


def random_histories(popularity: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Histories of very different lengths; often sold items are more likely."""
    rng = np.random.default_rng(seed)
    p = (popularity + 1) / (popularity + 1).sum()
    longest = max(1, min(400, len(p) // 2))
    lengths = np.unique(np.geomspace(1, longest, 60).astype(int))
    return [rng.choice(len(p), rng.choice(lengths), replace=False, p=p) for _ in range(count)]


def write(directory: Path, model: Model, about: About, skus: list[str], sales: np.ndarray) -> None:
    """Writes the directory anew. What was there is replaced only when all is written."""
    vocabulary = json.dumps({"items": skus, "sales": [float(v) for v in sales]}, separators=(",", ":")).encode()
    golden = []
    for h in random_histories(sales, GOLDEN_HISTORIES, seed=1):
        items, scores = model.recommend(h, 20)
        golden.append(json.dumps({"history": [skus[i] for i in h], "items": [skus[i] for i in items],
                                  "scores": [round(float(v), 6) for v in scores]}, separators=(",", ":")))
    files = {"vocabulary.json": vocabulary, "golden.jsonl.gz": gzip.compress("\n".join(golden).encode(), mtime=0), **model.files(vocabulary)}
    manifest = {
        "format": FORMAT, "name": about.name, "version": about.version,
        "data": {"source": about.source, "from": about.since, "until": about.until, "customers": about.customers,
                 "orders": about.orders, "items": len(skus)},
        "vocabulary": "vocabulary.json", "golden": "golden.jsonl.gz", **model.manifest(),
        "files": {name: {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()} for name, raw in files.items()},
        "metrics": about.metrics,
    }
    new = directory.with_name(directory.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for name, raw in files.items():
        (new / name).write_bytes(raw)
    (new / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(directory, ignore_errors=True)
    new.rename(directory)
