import numpy as np

from shopd_models import metrics, purchases, tasks
from shopd_models.tasks import Task


def built(shop: purchases.Purchases) -> list[Task]:
    return tasks.build(shop, 150, np.arange(0, 30), np.arange(30, 40), np.random.default_rng(0))


def test_each_kind_is_asked_and_no_answer_is_given_away(shop):
    found = built(shop)
    assert {t.kind for t in found} == set(tasks.KINDS)
    for t in found:
        assert not t.targets & set(t.history.tolist()) and len(set(t.history.tolist())) == len(t.history)


def test_future_asks_for_what_a_known_customer_never_had(shop):
    past, later = shop.day < 150, (shop.day >= 150) & (shop.day < 178)
    histories = {frozenset(shop.item[past & (shop.customer == c)].tolist()): c for c in range(40, len(shop.customers))}
    for t in built(shop):
        if t.kind == "future":
            c = histories[frozenset(t.history.tolist())]
            assert t.targets == set(shop.item[later & (shop.customer == c)].tolist()) - set(t.history.tolist())


def test_customers_left_out_are_in_no_task(shop):
    everyone = tasks.build(shop, 150, np.array([], int), np.arange(len(shop.customers)), np.random.default_rng(0))
    assert everyone == []


def test_rows_keep_answers_the_model_cannot_know():
    row = {"qid": "q", "task": "future", "history": ["a", "gone", "b", "a"], "targets": ["b", "c", "new"], "targets_new": ["c", "new"]}
    t, = tasks.from_rows([row], ["a", "b", "c"])
    assert t.history.tolist() == [0, 1] and t.targets == {2} and t.n_targets == 2


def test_ndcg_is_that_of_the_scorer():
    t = Task("basket", np.array([9]), frozenset({1, 2, 3}), 4)
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4) + 1 / np.log2(5)
    assert np.isclose(metrics.ndcg([1, 5, 2], t), (1 + 1 / np.log2(4)) / ideal)
    assert metrics.ndcg([], t) == 0


def test_best_leaves_the_history_out_and_breaks_ties_in_order():
    assert metrics.best(np.array([1.0, 3, 3, 5]), np.array([3]), 3).tolist() == [1, 2, 0]
