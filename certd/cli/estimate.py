"""``certd estimate``: draws, seconds and the largest radius, before anything is spent."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from certd.cli import options
from certd.smoothing.request import parse_request

if TYPE_CHECKING:
    from certd.models import BaseClassifier
    from certd.smoothing.request import Certification

TRIAL_DRAWS = 2000


def estimate(
    model: options.Model,
    sigma: options.Sigma,
    images: Annotated[int, typer.Option(help="How many images.")] = 1,
    noise: options.Noise = "gaussian",
    norm: options.Norm = None,
    plan: options.Plan = None,
    n0: options.SelectionDraws = None,
    n: options.EstimationDraws = None,
    alpha: options.Alpha = None,
    radii: options.Radii = None,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="The images have no labels.")] = False,
    device: options.Device = "cpu",
    as_json: options.AsJson = False,
) -> None:
    """Say what certifying IMAGES images would cost and reach; the speed is measured here, briefly."""
    asked = {
        "model": model, "sigma": sigma, "noise": noise, "norm": norm, "plan": plan, "n0": n0, "n": n,
        "alpha": alpha, "radii": options.parse_numbers("--radii", radii),
    }  # fmt: skip
    request = parse_request(asked)
    from certd.cli.display import warn_of_radii
    from certd.models import load_model
    from certd.reports.printed import floored
    from certd.smoothing.estimate import estimate as expect
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.settling import as_asked

    classifier = load_model(request.model, device)
    certification = request.resolve(classifier.reference, labelled=not unlabelled, mixing=classifier.mixing)
    guarantee = Guarantee.of(certification.noise, certification.norm, classifier.input_shape)
    certification.procedure.check(guarantee, classifier.num_classes)
    speed = _draws_per_second(classifier, as_asked(certification), device)
    expected = expect(certification, guarantee, images, classifier.num_classes, speed)
    warn_of_radii(certification.plan, guarantee)
    if as_json:
        print(json.dumps(asdict(expected)))
        return
    print(f"plan                 {certification.plan.kind}")
    print(f"draws, at most       {expected.draws_at_most:,}")
    print(f"seconds, at most     {expected.seconds_at_most or 0:,.0f}   at {speed:,.0f} draws a second here")
    print(f"largest {expected.norm} radius    {floored(expected.largest_radius)}")


def _draws_per_second(classifier: BaseClassifier, certification: Certification, device: str) -> float:
    """Time the sampler on a grey image, after one batch that warms it up."""
    import numpy as np

    from certd.models.runtime.prepare import prepare
    from certd.noise.sources import open_source
    from certd.smoothing.draws import Draws, Phase
    from certd.smoothing.sampler import DrawRequest, ImageSet, Sampler

    prepared = prepare(classifier, certification.execution, certification.rows, device)
    source = open_source(certification.noise, certification.seed)
    sampler = Sampler(prepared, source, name=classifier.name, num_classes=classifier.num_classes)
    grey = ImageSet(np.full((1, *classifier.input_shape), 127, np.uint8), np.zeros(1, np.uint64), device)
    draws = min(TRIAL_DRAWS, certification.plan.n)
    requests = [DrawRequest(0, Draws(Phase.ESTIMATION, 0, draws))]
    sampler.count(grey, [DrawRequest(0, Draws(Phase.ESTIMATION, 0, 1))])
    began = time.perf_counter()
    sampler.count(grey, requests)
    return draws / (time.perf_counter() - began)
