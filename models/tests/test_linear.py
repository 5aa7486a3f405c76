import numpy as np

from shopd_models import linear


def some_gram(n: int = 40) -> np.ndarray:
    x = (np.random.default_rng(0).random((300, n)) < 0.15).astype(np.float32)
    return x.T @ x


def test_inverse_is_the_inverse():
    g = some_gram()
    assert np.allclose(linear.inverse(g.copy(), 5.0) @ (g + 5 * np.eye(len(g))), np.eye(len(g)), atol=1e-4)


def test_ease_solves_each_item_without_itself():
    g = some_gram().astype(float)
    b = linear.ease(g, 10)
    others = np.arange(1, len(g))
    want = np.linalg.solve(g[np.ix_(others, others)] + 10 * np.eye(len(others)), g[others, 0])
    assert np.allclose(b[1:, 0], want, atol=1e-4) and not b.diagonal().any()


def test_factors_of_full_rank_are_the_whole_model():
    g = some_gram()
    a, b = linear.factors(g, 0.5, 10, len(g))
    r = linear.dropout_ridge(g, 0.5, 10)
    assert np.allclose(a @ b, np.eye(len(g)) - np.linalg.inv(g + np.diag(r)) * r[None, :], atol=1e-3)


def test_relation_keeps_the_strongest_of_either_sign():
    values = np.array([[0, 0.1, -0.9, 0.5], [0.2, 0, 0.3, 0.4], [0, 0, 0, 0], [1, 0, 0, 0]])
    r = linear.Relation.strongest("x", values, 2, np.ones(4, bool))
    assert np.allclose(r.sums(np.array([0])) * r.scale, [0, 0, -0.9, 0.5], atol=1e-4)
    assert np.allclose(r.sums(np.array([0, 3])) * r.scale, [1, 0, -0.9, 0.5], atol=1e-4)
    assert r.best(np.array([0]))[2] == 0, "what speaks against an item is nobody's best"


def test_relation_forgets_dead_items():
    r = linear.Relation.strongest("x", np.full((3, 3), 0.5), 2, np.array([True, False, True]))
    assert r.sums(np.array([0]))[1] == 0


def test_beside_counts_neighbours_of_one_order_only():
    near = linear.beside(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 3]), 4)
    assert near[0, 1] == 1 and near[0, 2] == 0.5 and near[1, 0] == 1 and not near[3].any()
