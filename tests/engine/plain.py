"""Mini-batch methods in plain Python numbers, the oracle of the compiled ones: the same sums in the same order."""

import math

import numpy as np

from eossim import QuadraticSum
from eossim.engine import streams

MASK = 2**64 - 1
ENDS, HEIGHTS = streams._ENDS.tolist(), streams._HEIGHTS.tolist()


class PlainStream:
    """xoshiro256++ in Python integers."""

    def __init__(self, seed, run):
        words = np.random.SeedSequence(seed, spawn_key=(run,)).generate_state(4, np.uint64)
        self.state = [int(word) for word in words]

    def word(self):
        def rotated(x, k):
            return ((x << k) | (x >> (64 - k))) & MASK

        s = self.state
        result = (rotated((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        shifted = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotated(s[3], 45)
        return result

    def below(self, bound):
        while True:  # words whose products fall into the first 2^32 mod bound of a residue class are one too many
            product = (self.word() >> 32) * bound
            if product % 2**32 >= 2**32 % bound:
                return product >> 32

    def uniform(self):
        return (self.word() >> 11) / 2**53

    def normal(self):
        log = streams.logarithm.py_func
        while True:
            word = self.word()
            layer, x = word % 256, (word >> 11) / 2**53
            x *= ENDS[layer]
            if layer == 0 and x >= ENDS[1]:
                beyond, square = 0.0, -1.0
                while square <= beyond * beyond:
                    beyond = -log(1 - self.uniform()) / ENDS[1]
                    square = -2 * log(1 - self.uniform())
                x = ENDS[1] + beyond
            elif x >= ENDS[layer + 1]:
                height = HEIGHTS[layer] + (HEIGHTS[layer + 1] - HEIGHTS[layer]) * self.uniform()
                if -2 * log(height) <= x * x:
                    continue
            return -x if word >> 8 & 1 else x


def dot(a, b):
    """Eight interleaved sums, then halves added to halves."""
    lanes = [0.0] * 8
    for k, (x, y) in enumerate(zip(a, b, strict=True)):
        lanes[k % 8] += x * y
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [lanes[j] + lanes[half + j] for j in range(half)]
    return lanes[0]


class PlainRun:
    """One run of a `Minibatch` method on a problem."""

    def __init__(self, problem, method, seed, run):
        self.method, self.random, self.n = method, PlainStream(seed, run), problem.n_samples
        self.values = {name: float(np.broadcast_to(v, run + 1)[run]) for name, v in method.method.values.items()}
        self.order, self.begin = list(range(self.n)), 0
        self.targets = None if isinstance(problem, QuadraticSum) else problem.y.tolist()
        if self.targets is None:
            self.scale = 1.0
            self.hessians, self.centers = problem.hessians.tolist(), problem.centers.tolist()
        else:
            self.scale = 2 * problem.loss_factor * self.n
            self.rows = problem.features.tolist()

    def draw(self):
        """Draw batch and Gaussian numbers of a gradient; all samples if the noise is Gaussian."""
        n, b, dim, method = self.n, self.method.batch_size, self.dim, self.method
        if method.noise != "batch":
            self.batch = list(range(n))
            self.normal = [self.random.normal() for _ in range(n if method.noise == "gaussian" else dim)]
            return
        if method.sampling == "iid":
            self.batch = [self.random.below(n) for _ in range(b)]
        else:
            if method.sampling == "without_replacement":
                self.order, self.begin = list(range(n)), 0
            elif self.begin + b > n:
                self.begin = 0
            for t in range(self.begin, self.begin + b):
                chosen = t + self.random.below(n - t)
                self.order[t], self.order[chosen] = self.order[chosen], self.order[t]
            self.batch = self.order[self.begin : self.begin + b]
            self.begin += b
        self.normal = [self.random.normal() for _ in range(b)] if method.label_noise else []

    def sample_gradient(self, i, point):
        """H_i (w - c_i), column by column."""
        g = [0.0] * self.dim
        for k in range(self.dim):
            away = point[k] - self.centers[i][k]
            g = [x + away * h for x, h in zip(g, self.hessians[i][k], strict=True)]
        return g

    def gradient(self, point):
        """The gradient as terms (factor, row)."""
        method, size = self.method, len(self.batch)
        share, strength = self.scale / size, math.sqrt(method.spread(self.n) * size)
        factors = [share] * size
        if self.targets is not None:
            factors = [share * (dot(self.rows[i], point) - self.targets[i]) for i in self.batch]
        if method.label_noise:
            factors = [f - share * method.label_noise * x for f, x in zip(factors, self.normal, strict=True)]
        if method.noise == "gaussian":
            mean = 0.0
            for x in self.normal:
                mean += x
            mean /= size
            factors = [f * (1 + strength * (x - mean)) for f, x in zip(factors, self.normal, strict=True)]
        if self.targets is None:
            rows = [self.sample_gradient(i, point) for i in self.batch]
        else:
            rows = [self.rows[i] for i in self.batch]
        terms = list(zip(factors, rows, strict=True))
        if self.targets is not None and method.noise in ("batch", "gaussian"):
            return terms
        g = added([0.0] * self.dim, 1.0, terms)
        if method.noise in ("isotropic", "diagonal"):
            g = [x + y for x, y in zip(g, self.noise(terms, g), strict=True)]
        return [(1.0, g)]

    def noise(self, terms, g):
        squares = [0.0] * self.dim
        for factor, row in terms:
            weight = self.n * factor if self.targets is not None else self.scale
            away = [weight * x - y for x, y in zip(row, g, strict=True)]
            squares = [s + x * x for s, x in zip(squares, away, strict=True)]
        if self.method.noise == "isotropic":
            total = 0.0
            for s in squares:
                total += s
            squares = [total / self.dim] * self.dim
        spread = self.method.spread(self.n)
        return [math.sqrt(spread * s / self.n) * x for s, x in zip(squares, self.normal, strict=True)]

    def iterates(self, w0, steps):
        """Iterates of all steps, shape (steps + 1, dim)."""
        w, rule, values = [float(x) for x in w0], self.method.method.rule.name, self.values
        self.dim, m, seen = len(w), [0.0] * len(w), [w]
        for _ in range(steps):
            self.draw()
            terms = self.gradient(w)
            if rule in ("usam", "sam"):
                reach = values["rho"]
                if rule == "sam":
                    whole = added([0.0] * self.dim, 1.0, terms)
                    square = dot(whole, whole)
                    reach = reach / math.sqrt(square) if square else 0.0
                ascended = added(w, reach, terms)
                if self.method.ascent == "independent":
                    self.draw()
                terms = self.gradient(ascended)
            if rule in ("heavy_ball", "nesterov"):
                m = added([values["beta"] * x for x in m], 1.0, terms)
                if rule == "nesterov":
                    w = added(w, -values["eta"], terms)
                    w = added(w, -values["eta"] * values["beta"], [(1.0, m)])
                else:
                    w = added(w, -values["eta"], [(1.0, m)])
            else:
                w = added(w, -values["eta"], terms)
            seen.append(w)
        return np.array(seen)


def added(target, scale, terms):
    """Target plus scale times a sum, term by term."""
    for factor, row in terms:
        target = [x + scale * factor * y for x, y in zip(target, row, strict=True)]
    return target
