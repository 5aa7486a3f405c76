import numpy as np

from shopd_models import network


def test_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(0)
    net = network.Network.new(np.zeros(5), np.ones(5), (7, 4), rng)
    net.line = rng.normal(size=(5, 1))
    for k in range(len(net.weights)):
        net.weights[k] = rng.normal(size=net.weights[k].shape)
        net.biases[k] = rng.normal(size=net.biases[k].shape)
    x, wanted = rng.normal(size=(3 * 6, 5)), (rng.random((3, 6)) < 0.4) * rng.random((3, 6))
    wanted[:, 0] = 1

    def loss() -> float:
        return network.list_loss(net.layers(x)[-1].reshape(3, 6), wanted)[0]

    layers = net.layers(x)
    _, d = network.list_loss(layers[-1].reshape(3, 6), wanted)
    for p, g in zip(net.parameters(), net.gradient(layers, d.reshape(-1, 1)), strict=True):
        at = tuple(rng.integers(s) for s in p.shape)
        kept = p[at]
        p[at] = kept + 1e-6
        above = loss()
        p[at] = kept - 1e-6
        below = loss()
        p[at] = kept
        assert np.isclose((above - below) / 2e-6, g[at], rtol=1e-4, atol=1e-6)


def lists(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Right is the candidate with the greatest product of two features: no straight line finds it."""
    f = np.random.default_rng(1).normal(size=(n, 12, 3)).astype(np.float32)
    hits = np.zeros((n, 12), bool)
    hits[np.arange(n), (f[..., 0] * f[..., 1]).argmax(1)] = True
    return f, hits


def test_network_learns_what_no_straight_line_can():
    f, hits = lists()
    net = network.train(f[:300], hits[:300], epochs=60, rate=5e-3)
    found = net.score(f[300:].reshape(-1, 3)).reshape(100, 12).argmax(1)
    assert hits[300:][np.arange(100), found].mean() > 0.7


def test_training_is_reproducible():
    f, hits = lists(100)
    one, other = network.train(f, hits, epochs=2, seed=3), network.train(f, hits, epochs=2, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_mean_of_networks_is_the_mean_of_their_scores():
    f, hits = lists(100)
    nets = [network.train(f, hits, epochs=2, seed=s) for s in (0, 1, 2)]
    x = f.reshape(-1, 3)
    assert np.allclose(network.Network.average(nets).score(x), np.mean([n.score(x) for n in nets], 0), atol=1e-4)
