"""The same fits by PyTorch: a batched Levenberg-Marquardt method, written as one would.

    fit.py PROBLEMS [DEVICE]        a file of native/bench/cuda_bench.cpp or fit_bench.cpp --problems; DEVICE: cuda:0
                                    (default), or cpu, where one thread is used

All problems of the batch step together, in single precision: residuals and Jacobians by broadcasting, normal equations by
a batched product, torch.linalg.cholesky_ex, damping and acceptance for each problem by masks. The objective is that of
docs/fitting.md: Student-t landmarks, Gaussian priors, expressions kept within their bounds by projected steps. It starts
from the poses that the native fits start from, which the file has, and ends when the mean cost is within 0.1% of what
they reached, or stands still. Prints JSON.
"""

import json
import math
import sys
import time

import torch

NU = 4.0


class Problems:
    """What the file holds, on the device."""

    def __init__(self, path: str, device: torch.device):
        data = bytearray(open(path, "rb").read())
        count, landmarks, identity, nuisances, expressions = torch.frombuffer(data, dtype=torch.int64, count=5).tolist()
        numbers = torch.frombuffer(data, dtype=torch.float64, offset=40)
        at = 0

        def take(*shape: int) -> torch.Tensor:
            nonlocal at
            size = math.prod(shape)
            part = numbers[at : at + size].reshape(shape)
            at += size
            return part.to(device, torch.float32)

        self.inverse_radius = float(take(1))
        self.mean = take(landmarks, 3)
        self.slack = take(landmarks, 3)
        self.identity = take(landmarks, 3, identity)
        self.nuisances = take(landmarks, 3, nuisances)
        self.expression = take(landmarks, 3, expressions)
        self.bounds = take(expressions, 2)
        self.deviation = take(expressions)
        self.points = take(count, landmarks, 2)
        cameras = take(count, 5)
        self.focal, self.principal, self.noise = cameras[:, 0], cameras[:, 1:3], cameras[:, 4]
        self.costs = take(count)
        self.starts = take(count, 12)
        self.linear = torch.cat([self.nuisances, self.expression], dim=2)
        self.sizes = identity, nuisances, expressions


def rotation_of(turn: torch.Tensor) -> torch.Tensor:
    skew = torch.zeros(turn.shape[0], 3, 3, device=turn.device)
    x, y, z = turn.unbind(1)
    skew[:, 0, 1], skew[:, 0, 2], skew[:, 1, 2] = -z, y, -x
    skew[:, 1, 0], skew[:, 2, 0], skew[:, 2, 1] = z, -y, x
    return torch.linalg.matrix_exp(skew)


def predict(p: Problems, state: dict) -> tuple:
    """Residuals [B,L,2] in standard deviations, and what their derivatives are made of."""
    v, linear = state["v"], torch.cat([state["n"], state["e"]], dim=1)
    theta = v.norm(dim=1) * p.inverse_radius
    sinc = torch.sinc(theta / math.pi)
    moved = torch.einsum("lad,bd->bla", p.identity, v)
    shape = p.mean + torch.cos(theta)[:, None, None] * p.slack + sinc[:, None, None] * moved
    shape = shape + torch.einsum("laq,bq->bla", p.linear, linear)
    turned = torch.einsum("bac,blc->bla", state["r"], shape)
    x = turned + state["t"][:, None, :]
    zoom = p.focal[:, None] / x[..., 2]
    image = zoom[..., None] * x[..., :2] + p.principal[:, None, :]
    residual = (image - p.points) / p.noise[:, None, None]
    # d(cos theta slack + sinc theta moved)/dv besides sinc theta identity is this times v^T.
    kappa = torch.where(theta > 1e-2, (torch.cos(theta) - sinc) / theta.square().clamp_min(1e-30), theta.square() / 30 - 1 / 3)
    radial = p.inverse_radius**2 * (kappa[:, None, None] * moved - sinc[:, None, None] * p.slack)
    return residual, x, turned, zoom, sinc, radial


def cost_of(p: Problems, state: dict, residual: torch.Tensor) -> torch.Tensor:
    squared = residual.square().sum(dim=2)
    landmarks = (NU + 2) / 2 * torch.log1p(squared / NU).sum(dim=1)
    prior = state["v"].square().sum(1) + state["n"].square().sum(1) + (state["e"] / p.deviation).square().sum(1)
    return landmarks + prior / 2


def normal_equations(p: Problems, state: dict, predicted: tuple) -> tuple:
    residual, x, turned, zoom, sinc, radial = predicted
    count, landmarks, _ = residual.shape
    by_point = torch.zeros(count, landmarks, 2, 3, device=residual.device)
    by_point[..., 0, 0] = by_point[..., 1, 1] = zoom
    by_point[..., :, 2] = -zoom[..., None] * x[..., :2] / x[..., 2:]
    by_point /= p.noise[:, None, None, None]
    by_shape = by_point @ state["r"][:, None]
    # d(turned)/d(turn) = -[turned]x, by rows: row x turned, the other way round.
    by_turn = torch.cross(turned[:, :, None, :].expand_as(by_point), by_point, dim=3)
    by_identity = torch.einsum("blic,lcd->blid", by_shape, p.identity) * sinc[:, None, None, None]
    along = torch.einsum("blic,blc->bli", by_shape, radial)
    by_identity = by_identity + along[..., None] * state["v"][:, None, None, :]
    by_linear = torch.einsum("blic,lcd->blid", by_shape, p.linear)
    jacobian = torch.cat([by_identity, by_turn, by_point, by_linear], dim=3).flatten(1, 2)
    weight = ((NU + 2) / (NU + residual.square().sum(2))).repeat_interleave(2, dim=1)
    weighted = jacobian * weight[..., None]
    hessian = weighted.transpose(1, 2) @ jacobian
    gradient = (weighted.transpose(1, 2) @ residual.flatten(1)[..., None])[..., 0]
    identity, nuisances, expressions = p.sizes
    none = torch.zeros(6, device=residual.device)
    prior = torch.cat(
        [torch.ones(identity, device=residual.device), none, torch.ones(nuisances, device=residual.device), p.deviation**-2]
    )
    unknowns = torch.cat([state["v"], torch.zeros_like(state["t"]), torch.zeros_like(state["t"]), state["n"], state["e"]], 1)
    hessian.diagonal(dim1=1, dim2=2).add_(prior)
    return hessian, gradient + prior * unknowns


def stepped(p: Problems, state: dict, step: torch.Tensor) -> dict:
    identity, nuisances, _ = p.sizes
    v, turn, t, n, e = step.split([identity, 3, 3, nuisances, step.shape[1] - identity - 6 - nuisances], dim=1)
    return {
        "v": state["v"] + v,
        "r": rotation_of(turn) @ state["r"],
        "t": state["t"] + t,
        "n": state["n"] + n,
        "e": torch.clamp(state["e"] + e, p.bounds[:, 0], p.bounds[:, 1]),
    }


def hold_at_bounds(p: Problems, state: dict, hessian: torch.Tensor, gradient: torch.Tensor) -> None:
    """Expressions that rest at a bound and would leave through it stay out of the step (Bertsekas 1982)."""
    down = gradient[:, -p.sizes[2] :]
    held = ((state["e"] <= p.bounds[:, 0]) & (down > 0)) | ((state["e"] >= p.bounds[:, 1]) & (down < 0))
    free = torch.ones_like(gradient)
    free[:, -p.sizes[2] :] = (~held).to(free.dtype)
    gradient.mul_(free)
    hessian.mul_(free[:, :, None]).mul_(free[:, None, :])
    hessian.diagonal(dim1=1, dim2=2).add_(1 - free)


def start(p: Problems) -> dict:
    count = p.points.shape[0]
    identity, nuisances, expressions = p.sizes
    zeros = lambda size: torch.zeros(count, size, device=p.points.device)  # noqa: E731
    rotation, translation = p.starts[:, :9].reshape(count, 3, 3), p.starts[:, 9:]
    return {"v": zeros(identity), "r": rotation, "t": translation, "n": zeros(nuisances), "e": zeros(expressions)}


def solve(p: Problems, target: float, most: int = 60) -> tuple:
    state = start(p)
    predicted = predict(p, state)
    cost = cost_of(p, state, predicted[0])
    damping = torch.full_like(cost, 1e-3)
    before = math.inf
    for iteration in range(1, most + 1):
        hessian, gradient = normal_equations(p, state, predicted)
        hold_at_bounds(p, state, hessian, gradient)
        hessian.diagonal(dim1=1, dim2=2).mul_(1 + damping[:, None])
        factor, failed = torch.linalg.cholesky_ex(hessian)
        step = -torch.cholesky_solve(gradient[..., None], factor)[..., 0]
        trial = stepped(p, state, step)
        there = predict(p, trial)
        value = cost_of(p, trial, there[0])
        accepted = (value < cost) & (failed == 0)
        pick = lambda a, b: torch.where(accepted.reshape(-1, *[1] * (a.dim() - 1)), a, b)  # noqa: E731
        state = {name: pick(trial[name], state[name]) for name in state}
        predicted = tuple(pick(a, b) for a, b in zip(there, predicted))
        cost = torch.where(accepted, value, cost)
        damping = torch.where(accepted, (damping / 5).clamp_min(1e-9), (damping * 10).clamp_max(1e9))
        mean = cost.mean().item()
        if mean <= 1.001 * target or (iteration > 10 and before - mean < 1e-5 * mean):
            break
        before = mean
    return cost, iteration


def main() -> None:
    device = torch.device(sys.argv[2] if len(sys.argv) > 2 else "cuda:0")
    if device.type == "cpu":
        torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.backends.cuda.matmul.allow_tf32 = False
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    p = Problems(sys.argv[1], device)
    target = p.costs[p.costs.isfinite()].mean().item()
    times, used = [], []
    for _ in range(4):
        wait()
        begin, before = time.perf_counter(), time.process_time()
        cost, iterations = solve(p, target)
        wait()
        times.append(time.perf_counter() - begin)
        used.append(time.process_time() - before)
    count, seconds = cost.shape[0], sorted(times[1:])[1]
    report = {
        "torch": torch.__version__,
        "batch": count,
        "landmarks": p.points.shape[1],
        "milliseconds": 1e3 * seconds,
        "millisecondsAFace": {
            "median": 1e3 * seconds / count,
            "min": 1e3 * min(times[1:]) / count,
            "max": 1e3 * max(times[1:]) / count,
            "runs": len(times) - 1,
            "cpu": 1e3 * sorted(used[1:])[1] / count,
        },
        "fitsPerSecond": count / seconds,
        "iterations": iterations,
        "meanCost": cost.mean().item(),
        "meanCostOfNativeFits": target,
        "asGood": (cost <= 1.01 * p.costs).float().mean().item(),
    }
    print(f"torch fit, {count} faces: {report['milliseconds']:.1f} ms, {report['fitsPerSecond']:.0f} a second", file=sys.stderr)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
