import gzip
import hashlib
import json

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from shopd_models import artifact, features, graph, network, train

RUNTIME = {"MatMul", "Add", "Gemm", "Relu"}


def operators(raw: bytes) -> set[str]:
    return {n.op_type for n in onnx.load_from_string(raw).graph.node}


def test_graphs_compute_what_the_models_do():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 4)).astype(np.float32), rng.normal(size=(4, 30)).astype(np.float32)
    raw = graph.factorisation(a, b)
    x = (rng.random((1, 30)) < 0.2).astype(np.float32)
    assert operators(raw) <= RUNTIME
    assert np.allclose(ReferenceEvaluator(raw).run(None, {graph.INPUT: x})[0], x @ a @ b, atol=1e-5)

    net = network.train(rng.normal(size=(50, 10, 6)).astype(np.float32), rng.random((50, 10)) < 0.2, hidden=(8, 5), epochs=2)
    f = rng.normal(size=(10, 6)).astype(np.float32)
    raw = graph.reranker(net, 10)
    assert operators(raw) <= RUNTIME
    assert np.allclose(ReferenceEvaluator(raw).run(None, {graph.INPUT: net.normalise(f)})[0][:, 0], net.score(f), atol=1e-5)


@pytest.fixture
def trained(export, tmp_path):
    train.main(["shop", "--purchases", str(export), "--out", str(tmp_path / "out")])
    return tmp_path / "out"


def test_a_shop_gets_two_whole_models(trained):
    for version in ("v1", "v2"):
        directory = trained / f"shop-{version}"
        manifest = json.loads((directory / "manifest.json").read_text())
        assert {p.name for p in directory.iterdir()} == {"manifest.json", *manifest["files"]}
        for name, told in manifest["files"].items():
            raw = (directory / name).read_bytes()
            assert told == {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}, name
        assert manifest["data"]["items"] == len(json.loads((directory / "vocabulary.json").read_text())["items"])
        golden = [json.loads(line) for line in gzip.decompress((directory / "golden.jsonl.gz").read_bytes()).splitlines()]
        assert len(golden) == artifact.GOLDEN_HISTORIES
        assert all(not set(g["items"]) & set(g["history"]) and g["scores"] == sorted(g["scores"], reverse=True) for g in golden)
    assert manifest["metrics"]["inner split: v2"]["basket"] > 0.1
    assert [f["name"] for f in manifest["features"]] == features.NAMES


def test_too_short_a_time_is_said(export, tmp_path):
    few = tmp_path / "few.jsonl"
    few.write_text("".join(line + "\n" for line in export.read_text().splitlines() if json.loads(line)["at"] < "2025-01-20"))
    with pytest.raises(SystemExit, match="too short"):
        train.main(["shop", "--purchases", str(few), "--out", str(tmp_path / "out")])
