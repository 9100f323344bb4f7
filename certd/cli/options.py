"""The options that commands share, under the names of the REST service."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certd.errors import InvalidParameter
from certd.statistics.mixture_bounds import BoundKind as MixtureBoundKind

if TYPE_CHECKING:
    from certd.attacks.perturbation import AttackNorm

ATTACK_NORMS: tuple[AttackNorm, ...] = ("linf", "l2")
MIXTURE_BOUNDS: tuple[MixtureBoundKind, ...] = ("classes", "predicted")

Model = Annotated[str, typer.Argument(help="Registered model, or a file or URI on this machine.")]
DatasetName = Annotated[str, typer.Argument(help="Registered data set, or a URI such as npz:FILE.")]
RunFile = Annotated[Path, typer.Argument(help="A run written by `certd certify --out`.")]
RunFiles = Annotated[list[Path], typer.Argument(help="Runs, or imported logs; the first is the baseline.")]
Force = Annotated[bool, typer.Option("--force", help="Go on although conditions differ, and mark it.")]
Sigma = Annotated[float, typer.Option(help="Noise level, pixels in [0, 1].")]
Noise = Annotated[str, typer.Option(help="gaussian, laplace, uniform or splitting.")]
NoiseArithmetic = Annotated[str, typer.Option(help="quantized (sound) or float.")]
Norm = Annotated[str | None, typer.Option(help="l1, l2 or linf; by default the noise's own.")]
Plan = Annotated[
    str | None, typer.Option(help="fixed, radii (default with labels), precision, open, predict.")
]
SelectionDraws = Annotated[int | None, typer.Option("--n0", help="Selection draws an image.")]
EstimationDraws = Annotated[int | None, typer.Option("--n", help="Estimation draws an image, or the most.")]
Alpha = Annotated[float | None, typer.Option(help="Failure probability of one certificate.")]
Radii = Annotated[str | None, typer.Option(help="Plan radii: the list, such as 0,0.25,0.5.")]
Pilot = Annotated[int | None, typer.Option(help="Plan precision: draws that choose class and budget.")]
Tolerance = Annotated[float | None, typer.Option(help="Plan precision: radius that may be lost, in sigmas.")]
TargetRadius = Annotated[float | None, typer.Option("--radius", help="Plan open: stop at this radius.")]
BoundKind = Annotated[str | None, typer.Option("--bound", help="Plan fixed: one-sided or two-sided.")]
NoSplit = Annotated[bool, typer.Option("--no-split", help="Plan fixed: count all draws, at half of alpha.")]
VotesKind = Annotated[str | None, typer.Option("--votes", help="Plan fixed: hard or soft.")]
MeanBound = Annotated[str | None, typer.Option(help="Soft votes: thinned, hoeffding or bernstein.")]
TopK = Annotated[int | None, typer.Option("--top-k", help="Plan fixed: certify membership of the top k.")]
ImagesOf = Annotated[
    str | None, typer.Option("--dataset", help="Where the images are, if the run does not say.")
]
MixtureBounds = Annotated[
    str | None,
    typer.Option(
        "--mixture-bounds",
        help="smooth-then-mix: classes, each at its share of alpha, or predicted.",
    ),
]
Seed = Annotated[int | None, typer.Option(help="Key of the noise; drawn afresh when absent.")]
Batch = Annotated[str | None, typer.Option(help="Rows of one forward pass, or auto: the fastest.")]
PresetName = Annotated[
    str | None,
    typer.Option("--preset", help="Conventions of a data set for a file: cifar10, mnist, imagenet."),
]
Architecture = Annotated[str | None, typer.Option(help="Architecture of a file that names none.")]
Mean = Annotated[str | None, typer.Option(help="Mean a channel, such as 0.49,0.48,0.45.")]
Std = Annotated[str | None, typer.Option(help="Scale a channel, such as 0.25,0.24,0.26.")]
InputShape = Annotated[
    str | None, typer.Option("--input-shape", help="Channel, height, width of an image: 3,32,32.")
]
Classes = Annotated[int | None, typer.Option("--classes", help="Number of classes, for a file of weights.")]
DtypeName = Annotated[str, typer.Option("--dtype", help="float32, bfloat16 or checked.")]
CheckDraws = Annotated[int | None, typer.Option(help="checked: copies that both types classify.")]
Confidence = Annotated[
    bool, typer.Option("--confidence", help="Also record how sure the classifier is; needs labels.")
]
Compiled = Annotated[
    str, typer.Option("--compiled", help="true, false, or auto: compile first where the run earns it back.")
]
Skip = Annotated[int, typer.Option(help="Take every skip-th image.")]
Start = Annotated[int, typer.Option(help="First image.")]
Stop = Annotated[int | None, typer.Option(help="Image after the last.")]
Limit = Annotated[int | None, typer.Option(help="Most images.")]
Indices = Annotated[
    str | None, typer.Option(help="Take these images instead: 3,1,7 or @FILE with one index a line.")
]
Sample = Annotated[int | None, typer.Option(help="Keep so many of the images, drawn at random.")]
SampleSeed = Annotated[int, typer.Option(help="Chooses the sample.")]
LabelMap = Annotated[
    Path | None, typer.Option(help='JSON that gives each label of the set its class: {"0": 207, "1": 3}.')
]
Server = Annotated[str | None, typer.Option(help="Do it through the service at this URL.")]
Device = Annotated[str, typer.Option(help="Torch device.")]
TrainingDraws = Annotated[int | None, typer.Option("--draws", help="Noise draws of an image in one step.")]
DiscardAfter = Annotated[
    int | None, typer.Option("--discard-after", help="easy-images: epochs before images are discarded.")
]
DiscardBelow = Annotated[
    float | None,
    typer.Option("--discard-below", help="easy-images: share of draws an image must reach."),
]
ReweightEvery = Annotated[
    int | None, typer.Option("--reweight-every", help="easy-images: epochs between weights; 0 for never.")
]
AttackSteps = Annotated[int | None, typer.Option("--attack-steps", help="easy-images: steps on the sphere.")]
AttackStepSize = Annotated[
    float | None, typer.Option("--attack-step-size", help="easy-images: length of one, input units.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def parse_mixture_bounds(text: str | None) -> MixtureBoundKind:
    """Read which classes of a mixture are bounded; all of them where nothing was said."""
    for kind in MIXTURE_BOUNDS:
        if text == kind:
            return kind
    if text is None:
        return "classes"
    raise InvalidParameter(f"--mixture-bounds is {' or '.join(MIXTURE_BOUNDS)}; got {text!r}.")


def parse_attack_norm(text: str) -> AttackNorm:
    """Read the norm of an attack's perturbations."""
    for norm in ATTACK_NORMS:
        if text == norm:
            return norm
    raise InvalidParameter(f"--norm of an attack is {' or '.join(ATTACK_NORMS)}; got {text!r}.")


def parse_shape(option: str, text: str | None) -> tuple[int, int, int] | None:
    """Read channel, height and width, separated by commas, that were given to an option."""
    if text is None:
        return None
    sizes = text.split(",")
    if len(sizes) != 3 or not all(size.strip().isdecimal() for size in sizes):
        raise InvalidParameter(f"{option} takes channel, height, width, such as 3,32,32; got {text!r}.")
    channels, height, width = map(int, sizes)
    return channels, height, width


def parse_numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    """Read the numbers, separated by commas, that were given to an option."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InvalidParameter(
            f"{option} takes numbers separated by commas, such as 0,0.25,0.5; got {text!r}."
        ) from None


def parse_radii(option: str, text: str | None) -> tuple[float, ...] | None:
    """Read the radii, separated by commas, at which numbers are to be read off."""
    radii = parse_numbers(option, text)
    if not all(0 <= radius < math.inf for radius in radii or ()):
        raise InvalidParameter(f"{option} takes radii from 0, such as 0,0.25,0.5; got {text!r}.")
    return radii
