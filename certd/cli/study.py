"""``certd study acr``: an honest and a gamed network, certified alike and held against one another."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from certd.cli import options
from certd.cli.device import chosen_device
from certd.cli.images import ChosenImages
from certd.cli.models import FileConventions
from certd.cli.train import changed_settings
from certd.cli.training_run import Normalisation, TrainingRun
from certd.errors import Conflict

if TYPE_CHECKING:
    from certd.reports import Results
    from certd.reports.comparison import RunComparison
    from certd.training import Recipe, TrainingPreset, TrainingSettings

PLAIN, EASY = "plain", "easy-images"

app = typer.Typer(help="Experiments that show what a figure hides.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``acr`` a command of its own while it is the only one."""


@app.command()
def acr(
    architecture: Annotated[str, typer.Argument(help="Built-in architecture, such as lenet.")],
    training_set: Annotated[str, typer.Argument(help="Registered data set, or a URI, to train on.")],
    test_set: Annotated[str, typer.Argument(help="Registered data set, or a URI, to certify.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for weights, runs and the comparison.")],
    sigma: options.Sigma,
    epochs: Annotated[int, typer.Option(help="Passes over the data, of both networks.")] = 30,
    batch: Annotated[int, typer.Option("--batch", help="Noisy copies a step.")] = 256,
    learning_rate: Annotated[float, typer.Option("--lr", help="At the start.")] = 0.05,
    schedule: Annotated[str, typer.Option(help="cosine, step after each third, or constant.")] = "cosine",
    draws: options.TrainingDraws = None,
    discard_after: options.DiscardAfter = None,
    discard_below: options.DiscardBelow = None,
    reweight_every: options.ReweightEvery = None,
    attack_steps: options.AttackSteps = None,
    attack_step_size: options.AttackStepSize = None,
    limit: Annotated[int | None, typer.Option(help="Most training images.")] = None,
    skip: Annotated[int, typer.Option(help="Certify every skip-th test image.")] = 1,
    n: Annotated[int, typer.Option("--n", help="Estimation draws an image, fixed plan.")] = 10_000,
    alpha: Annotated[float, typer.Option(help="Failure probability of one certificate.")] = 0.001,
    dtype: options.DtypeName = "float32",
    certify_batch: Annotated[int | None, typer.Option(help="Rows of one pass when certifying.")] = None,
    seed: Annotated[int, typer.Option(help="Of both networks, and of the certification.")] = 0,
    device: Annotated[str, typer.Option(help="Torch device; auto is a GPU where there is one.")] = "auto",
    preset: options.PresetName = None,
) -> None:
    """Train plainly and on easy images alone, certify both, and write what ACR says and what it hides.

    A study that was stopped goes on when the same command is given again.
    """
    from certd.training import choose_recipe

    half = epochs // 2
    easy = choose_recipe(
        "easy-images", sigma, draws=draws, discard_after=half if discard_after is None else discard_after,
        discard_below=discard_below, reweight_every=reweight_every, attack_steps=attack_steps,
        attack_step_size=attack_step_size,
    )  # fmt: skip
    settings = changed_settings(
        easy.settings, epochs=epochs, batch_size=batch, learning_rate=learning_rate, schedule=schedule,
        seed=seed,
    )  # fmt: skip
    plain = choose_recipe("gaussian", sigma, draws=easy.recipe.draws)
    study = _Study(
        out, architecture, ChosenImages(training_set, limit=limit), ChosenImages(test_set, skip=skip),
        {"sigma": sigma, "plan": "fixed", "n": n, "alpha": alpha, "seed": seed, "dtype": dtype,
         "batch_size": None if certify_batch is None else str(certify_batch)},
        chosen_device(device), preset,
    )  # fmt: skip
    study.begin({PLAIN: plain, EASY: easy}, settings)
    runs = [study.run(name, recipe, settings) for name, recipe in ((PLAIN, plain), (EASY, easy))]
    _write_comparison(out, runs, study.about(easy.recipe, settings))


@dataclass(frozen=True, slots=True)
class _Study:
    """Where the study lies, and what both networks share."""

    out: Path
    architecture: str
    training_set: ChosenImages
    test_set: ChosenImages
    asked: dict[str, Any]
    device: str
    preset: str | None

    def begin(self, recipes: dict[str, TrainingPreset], settings: TrainingSettings) -> None:
        """Write down what is asked for, and refuse a folder that holds another study."""
        said = {
            "architecture": self.architecture,
            "training_set": {"dataset": self.training_set.dataset, **self.training_set.selection},
            "test_set": {"dataset": self.test_set.dataset, **self.test_set.selection},
            "preset": self.preset,
            "settings": settings.model_dump(),
            "recipes": {name: repr(one.recipe) for name, one in recipes.items()},
            "certification": self.asked,
        }
        text, file = json.dumps(said, indent=2) + "\n", self.out / "study.json"
        if file.exists() and file.read_text() != text:
            raise Conflict(f"{self.out} holds a study with other options; choose another --out.")
        self.out.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def about(self, easy: Recipe, settings: TrainingSettings) -> tuple[str, ...]:
        """Say what the two networks are, for a reader who has the page alone."""
        from certd.training import EasyImages
        from certd.training.easy_images import DISCARD_DRAWS

        assert isinstance(easy, EasyImages)  # noqa: S101 - choose_recipe returned it under this name
        often = "the more often the surer the network is" if easy.reweight_every else "evenly"
        both = (
            f"Where they come from. Two networks, {self.architecture}, with the same first weights, trained "
            f"for {settings.epochs} epochs on the same images of {self.training_set.dataset} under Gaussian "
            f"noise of sigma {easy.sigma:g}, certified on the same images of {self.test_set.dataset}."
        )
        apart = (
            f"{PLAIN} learns from every image. {EASY} gives up, after {easy.discard_after} epochs, those "
            f"that it recognises in less than {easy.discard_below:.0%} of {DISCARD_DRAWS} noisy copies. "
            f"It is served the others {often}, under noise turned against it (attack steps: "
            f"{easy.attack_steps}, of length {easy.attack_step_size:g}). The recipe, of arXiv:2410.06895, "
            "is made for a large average radius, not for a good classifier."
        )
        return both, apart

    def run(self, name: str, training: TrainingPreset, settings: TrainingSettings) -> Results:
        """Return the certified run of one network, trained and certified as far as that is not done."""
        from certd.cli.local_job import LocalJob
        from certd.reports.results import results_of

        weights, stored = self.out / f"{name}.safetensors", self.out / f"{name}.parquet"
        if not weights.with_suffix(".json").exists():
            sys.stderr.write(f"training {name}\n")
            TrainingRun(
                self.architecture, self.training_set.open(), replace(training, settings=settings), weights,
                name, Normalisation(self.preset, None, None), self.device,
            ).go(resume=True)  # fmt: skip
        job = LocalJob(
            {**self.asked, "model": str(weights)}, self.test_set, self.device, FileConventions(), stored,
            resume=stored.exists(),
        )  # fmt: skip
        return results_of(job.run())


def _write_comparison(out: Path, runs: list[Results], about: tuple[str, ...]) -> None:
    """Write the page, its JSON twin and the figures, and print what is found."""
    from certd.reports.comparison import compare_runs
    from certd.reports.comparison_page import comparison_page
    from certd.reports.figures.forms import render_figure

    found = compare_runs(runs)
    (out / "compare.html").write_text(comparison_page(found, about))
    (out / "compare.json").write_text(json.dumps(found.as_json(), indent=2) + "\n")
    figures = out / "figures"
    figures.mkdir(exist_ok=True)
    for figure in found.figures:
        (figures / f"{figure.name}.svg").write_bytes(render_figure(figure, "svg"))
    _print(found, out)


def _print(found: RunComparison, out: Path) -> None:
    from certd.reports.tables import to_markdown

    print(to_markdown(found.tables[0].table))
    for finding in found.findings:
        print(f"\n{finding}")
    print(f"\nwrote {out / 'compare.html'}, {out / 'compare.json'} and {out / 'figures'}")
