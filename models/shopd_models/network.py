"""The network that orders candidates: a perceptron trained on whole lists at a time.

It is small enough that numpy trains it in a minute; a test compares its gradient with finite differences.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import block_diag

CLIP = 6.0


@dataclass
class Network:
    """relu layers and, beside them, a straight line from the features to the score."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    line: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    _moments: list = field(default_factory=list, repr=False)
    _step: int = 0

    @staticmethod
    def new(mean: np.ndarray, spread: np.ndarray, hidden: tuple[int, ...], rng: np.random.Generator) -> "Network":
        sizes = (len(mean), *hidden, 1)
        weights = [rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in zip(sizes, sizes[1:])]
        weights[-1] *= 0.1
        return Network(weights, [np.zeros(b, np.float32) for b in sizes[1:]], np.zeros((len(mean), 1), np.float32),
                       mean.astype(np.float32), spread.astype(np.float32))

    def normalise(self, features: np.ndarray) -> np.ndarray:
        return np.clip((features - self.mean) / self.spread, -CLIP, CLIP)

    def layers(self, x: np.ndarray) -> list[np.ndarray]:
        """The normalised input, each hidden layer, and the scores."""
        out = [x]
        for k, (w, b) in enumerate(zip(self.weights, self.biases)):
            z = out[-1] @ w + b
            out.append(np.maximum(z, 0) if k < len(self.weights) - 1 else z + x @ self.line)
        return out

    def score(self, features: np.ndarray) -> np.ndarray:
        return self.layers(self.normalise(features))[-1][..., 0]

    @staticmethod
    def average(some: list["Network"]) -> "Network":
        """One network that computes the mean of several with the same input: their layers side by side."""
        first, last = some[0], len(some[0].weights) - 1
        weights = [np.concatenate([n.weights[0] for n in some], 1)]
        weights += [block_diag(*(n.weights[k] for n in some)) for k in range(1, last)]
        weights.append(np.concatenate([n.weights[last] for n in some]) / len(some))
        biases = [np.concatenate([n.biases[k] for n in some]) for k in range(last)] + [np.mean([n.biases[last] for n in some], 0)]
        return Network([w.astype(np.float32) for w in weights], biases, np.mean([n.line for n in some], 0), first.mean, first.spread)

    def parameters(self) -> list[np.ndarray]:
        return [*self.weights, *self.biases, self.line]

    def gradient(self, layers: list[np.ndarray], d: np.ndarray) -> list[np.ndarray]:
        """The gradient of every parameter for d, that of the scores."""
        gw, gb, line = [], [], layers[0].T @ d
        for k in range(len(self.weights) - 1, -1, -1):
            gw.append(layers[k].T @ d)
            gb.append(d.sum(0))
            if k:
                d = (d @ self.weights[k].T) * (layers[k] > 0)
        return [*gw[::-1], *gb[::-1], line]

    def adam(self, gradient: list[np.ndarray], rate: float, decay: float) -> None:
        params = self.parameters()
        self._moments = self._moments or [(np.zeros_like(p), np.zeros_like(p)) for p in params]
        self._step += 1
        for p, g, (m, v) in zip(params, gradient, self._moments):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= rate * (m / (1 - 0.9**self._step)) / (np.sqrt(v / (1 - 0.999**self._step)) + 1e-8)
            if p.ndim > 1:
                p -= rate * decay * p


def list_loss(scores: np.ndarray, wanted: np.ndarray) -> tuple[float, np.ndarray]:
    """Cross entropy of each list's softmax with what was wanted of it, and its gradient by the scores."""
    z = scores - scores.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    return float(-(wanted * log_p).sum()), np.exp(log_p) * wanted.sum(1, keepdims=True) - wanted


def train(features: np.ndarray, hits: np.ndarray, hidden: tuple[int, ...] = (32, 16), epochs: int = 12, batch: int = 64,
          rate: float = 2e-3, decay: float = 0.1, sample: int = 150, seed: int = 0) -> Network:
    """Trains on lists x candidates x features and which candidates were right.

    A list with many right answers counts more than one with a few, but less than in proportion. Most steps see the
    first candidates and some of the rest, the last steps see all.
    """
    rng = np.random.default_rng(seed)
    some = hits.any(1)
    features, hits = features[some], hits[some]
    flat = features[:: max(1, len(features) // 1000)].reshape(-1, features.shape[2]).astype(np.float64)
    net = Network.new(flat.mean(0), flat.std(0) + 1e-3, hidden, rng)
    wanted = (hits / np.sqrt(hits.sum(1, keepdims=True))).astype(np.float32)
    n, c, f = features.shape
    first = min(60, c)
    steps, k = epochs * -(-n // batch), 0
    for _ in range(epochs):
        order = rng.permutation(n)
        for i in range(0, n, batch):
            rows = order[i : i + batch]
            x, y = features[rows], wanted[rows]
            if k < 0.8 * steps and sample < c:
                some = np.concatenate([np.arange(first), first + rng.permutation(c - first)[: sample - first]])
                x, y = x[:, some], y[:, some]
            layers = net.layers(net.normalise(x.reshape(-1, f).astype(np.float32)))
            _, d = list_loss(layers[-1].reshape(len(rows), -1), y)
            pace = rate * min(1, k / 100) * 0.5 * (1 + np.cos(np.pi * k / steps))
            net.adam(net.gradient(layers, (d / len(rows)).reshape(-1, 1).astype(np.float32)), pace, decay)
            k += 1
    return net
