"""Second-order regression: its maps, when they close, and where the slow manifold meets the edge."""

from __future__ import annotations

import sympy as sp

from eossim.maps import second_order, uv
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, by_name, experiment_claim
from .toy_symbols import P, Q, Y, epsilon, image

MODEL = "z = a (y + G.theta + theta.Q theta / 2), a the step, J = G + Q theta, T_j = a J Q^j J^T, T = T_0, one datum"
SOURCE = "arXiv:2210.04860"

#: T at the end of a run that starts well above T = 2 + 2 z, E = 0, to first order.
LIMIT = 2 - epsilon / 2
z, T, E, c = sp.symbols("z T E c", real=True)
a = sp.Symbol("a", positive=True)
J = sp.Matrix(sp.symbols("J1:4", real=True))
QS = sp.diag(*sp.symbols("q1:4", nonzero=True))


def derive() -> list[Derivation]:
    """Return the maps with what they conserve, and the limit on the slow manifold."""
    return [_maps(), _limit()]


def _power(j: int, matrix: sp.Matrix, row: sp.Matrix = J) -> sp.Expr:
    """Return T_j = a J Q^j J^T."""
    return a * (row.T * matrix**j * row)[0]


def _maps() -> Derivation:
    d = Derivation("second_order", "Gradient descent on second-order regression, one datum", MODEL, SOURCE)
    theta, G = sp.Matrix(sp.symbols("t1:4", real=True)), sp.Matrix(sp.symbols("G1:4", real=True))
    y = sp.Symbol("y", real=True)
    residual = y + G.dot(theta) + (theta.T * QS * theta)[0] / 2
    d.say(
        "Three parameters, Q diagonal by a rotation. The loss is z^2 / (2 a^2): theta moves by -z J^T, J = G + Q theta."
    )
    d.equal(
        "J is the gradient of z / a, here in the first coordinate", sp.diff(residual, theta[0]), (G + QS * theta)[0]
    )
    moved = theta - z * (G + QS * theta)
    change = a * (y + G.dot(moved) + (moved.T * QS * moved)[0] / 2 - residual)
    inserted = tuple(zip(J, G + QS * theta, strict=True))
    d.equal("z' - z = -z T + z^2 T_1 / 2", change, at(-z * _power(0, QS) + z**2 * _power(1, QS) / 2, *inserted))
    after = J - z * QS * J
    d.say("J' = J - z Q J, so T_j' = T_j - 2 z T_(j+1) + z^2 T_(j+2):")
    for j in (0, 1):
        d.equal(f"j = {j}", _power(j, QS, after), _power(j, QS) - 2 * z * _power(j + 1, QS) + z**2 * _power(j + 2, QS))
    before = z - _power(-1, QS) / 2
    later = z - z * _power(0, QS) + z**2 * _power(1, QS) / 2 - _power(-1, QS, after) / 2
    d.equal("E = z - T_(-1) / 2 is conserved, whatever Q", later, before)
    two = sp.diag(1, 1, -epsilon)
    d.say("If Q has the eigenvalues 1 and -epsilon only, Q^2 = (1 - epsilon) Q + epsilon I:")
    T0, T1 = _power(0, two), _power(1, two)
    conserved = z - _power(-1, two) / 2
    d.equal("T_2 = (1 - epsilon) T_1 + epsilon T", _power(2, two), (1 - epsilon) * T1 + epsilon * T0)
    closed = (1 - epsilon) * T0 + 2 * epsilon * (z - conserved)
    d.equal("T_1 = (1 - epsilon) T + 2 epsilon (z - E)", T1, closed)
    mapped = image(second_order, z=z, T=T0, eps=epsilon, E=conserved)
    d.equal("So z and T close: z'", mapped[0], z - z * T0 + z**2 * T1 / 2)
    d.equal("and T'", mapped[1], T0 - 2 * z * T1 + z**2 * _power(2, two))
    side = (P - Q) / 4 - Y
    toy = image(uv, P=P, Q=Q, Y=Y)
    same = image(second_order, z=side, T=(P + Q) / 2, eps=sp.Integer(1), E=-Y)
    d.equal("epsilon = 1, E = -Y, z = e, T = (P + Q) / 2 is the uv model: e'", (toy[0] - toy[1]) / 4 - Y, same[0])
    d.equal("and eta lam'", (toy[0] + toy[1]) / 2, same[1])
    domain = {"P": POSITIVE, "Q": POSITIVE, "Y": POSITIVE}
    d.claim(
        id="second_order.is_uv",
        statement="second-order regression with epsilon = 1, E = -Y is the uv model with z = e, T = eta lam",
        kind="equality",
        left=by_name((toy[0] + toy[1]) / 2, domain),
        right=by_name(same[1], domain),
        domain=domain,
    )
    experiment_claim(
        d,
        "second_order.conserved",
        "second_order_maps",
        "gradient descent on second-order regression in many dimensions follows the maps of z and T and conserves E",
    )
    return d


def _limit() -> Derivation:
    d = Derivation("second_order_limit", "Second-order regression ends a little below the edge, E = 0", MODEL, SOURCE)
    x, t = sp.Symbol("x", real=True), sp.Symbol("t", positive=True)
    zero = sp.Integer(0)
    line = image(second_order, z=z, T=2 + 2 * z, eps=zero, E=zero)
    d.equal("epsilon = 0: the line T = 2 + 2 z is invariant", line[1], 2 + 2 * line[0])
    d.equal("and on it z' =", line[0], z * (z**2 - z - 1))
    d.say("T = 2 + 2 z + x. Two steps, x and epsilon of the order of z^2, z of the order t:")
    scaled = {"z": t * z, "T": 2 + 2 * t * z + t**2 * x, "eps": t**2 * epsilon, "E": zero}
    once = image(second_order, **scaled)
    twice = image(second_order, z=once[0], T=once[1], eps=t**2 * epsilon, E=zero)
    distance = sp.expand(twice[1] - 2 - 2 * twice[0] - t**2 * x)
    moved = sp.expand(twice[0] - t * z)
    d.equal("z changes by 2 x z - 4 z^3 at the leading order", moved.coeff(t, 3), 2 * x * z - 4 * z**3)
    d.equal("there is nothing below", moved.coeff(t, 1) + c * moved.coeff(t, 2), 0)
    d.equal("x changes by -4 epsilon z^2", distance.coeff(t, 4), -4 * epsilon * z**2)
    d.equal("with nothing below", sum(c**n * distance.coeff(t, n) for n in range(4)), 0)
    d.say("So u = z^2 and x follow du/dx = (2 u - x) / epsilon, x falling:")
    solution = x / 2 + epsilon / 4 + c * sp.exp(2 * x / epsilon)
    d.equal(
        "with the solution u = x / 2 + epsilon / 4 + c exp(2 x / epsilon)",
        sp.diff(solution, x),
        (2 * solution - x) / epsilon,
    )
    d.say("From x_0 well above epsilon the last term is negligible once x is small. The run ends where u = 0:")
    d.equal("x = -epsilon / 2, T = 2 - epsilon / 2", at(x / 2 + epsilon / 4, (x, LIMIT - 2)), 0)
    start = at(x / 2 + epsilon / 4, (x, 0))
    d.equal("while x is positive u > 0 stays: at x = 0 it is epsilon / 4", start, epsilon / 4)
    experiment_claim(
        d,
        "second_order.edge",
        "second_order_edge",
        "E = 0, starts well above T = 2 + 2 z: T ends at 2 - epsilon / 2, the error of second order in epsilon",
    )
    return d
