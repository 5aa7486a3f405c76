import numpy as np

from shopd_models import features, snapshot


def test_nothing_after_the_day_is_known(shop, text):
    today = 150
    known = snapshot.take(shop, today, text, np.array([], int))
    scrambled = shop.select(np.ones(len(shop.day), bool))
    later = scrambled.day >= today
    scrambled.item = scrambled.item.copy()
    scrambled.item[later] = scrambled.item[later][::-1]
    again = snapshot.take(scrambled, today, text, np.array([], int))
    assert np.array_equal(known.stats, again.stats) and np.array_equal(known.season, again.season)
    for name, r in known.relations.items():
        assert np.array_equal(r.neighbour, again.relations[name].neighbour) and np.array_equal(r.strength, again.relations[name].strength), name


def test_customers_left_out_teach_nothing(shop, text):
    strangers = np.arange(0, 40)
    known = snapshot.take(shop, 150, text, strangers)
    without = shop.select(~np.isin(shop.customer, strangers) | (shop.day >= 150))
    for name, r in snapshot.take(without, 150, text, np.array([], int)).relations.items():
        assert np.array_equal(known.relations[name].strength, r.strength), name


def test_candidates_are_new_to_the_customer_and_features_are_numbers(known):
    rng = np.random.default_rng(0)
    for length in (1, 2, 11, 40):
        history = rng.choice(len(known.live), length, replace=False)
        candidates, f = features.compute(known, history, 15)
        assert f.shape == (min(15, len(known.live) - length), len(features.NAMES)) and np.isfinite(f).all()
        assert not set(candidates.tolist()) & set(history.tolist()) and len(set(candidates.tolist())) == len(candidates)


def test_names_are_the_columns(known):
    assert len(set(features.NAMES)) == len(features.NAMES)
    history = np.array([3, 7, 11])
    c, f = features.compute(known, history, 20)
    column = dict(zip(features.NAMES, f.T, strict=True))
    assert np.allclose(column["history_length"], np.log(3))
    assert np.allclose(column["price_difference"], known.log_price[c] - known.log_price[history].mean(), atol=1e-5)
    assert np.array_equal(column["age"], known.stats[c, snapshot.STATS.index("age")])
    assert np.isclose(column["together_share"].max(), 1)
