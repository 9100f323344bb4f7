"""What a paper says about a run: a sentence for the methods section, and the works it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.printed import NOISE, floored, images_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from certd.reports.results import Results

WORKS = {
    "cohen2019": """@inproceedings{cohen2019,
  title = {Certified Adversarial Robustness via Randomized Smoothing},
  author = {Cohen, Jeremy and Rosenfeld, Elan and Kolter, J. Zico},
  booktitle = {International Conference on Machine Learning},
  year = {2019},
  eprint = {1902.02918},
  archivePrefix = {arXiv}
}""",
    "clopper1934": """@article{clopper1934,
  title = {The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial},
  author = {Clopper, C. J. and Pearson, E. S.},
  journal = {Biometrika},
  volume = {26},
  number = {4},
  pages = {404--413},
  year = {1934}
}""",
    "acrweakness2024": """@misc{acrweakness2024,
  title = {Average Certified Radius is a Poor Metric for Randomized Smoothing},
  author = {Sun, Chenhao and Mao, Yuhao and M{\\"u}ller, Mark Niklas and Vechev, Martin},
  year = {2024},
  eprint = {2410.06895},
  archivePrefix = {arXiv}
}""",
    "massart1990": """@article{massart1990,
  title = {The Tight Constant in the {Dvoretzky--Kiefer--Wolfowitz} Inequality},
  author = {Massart, P.},
  journal = {The Annals of Probability},
  volume = {18},
  number = {3},
  pages = {1269--1283},
  year = {1990}
}""",
    "lan1983": """@article{lan1983,
  title = {Discrete Sequential Boundaries for Clinical Trials},
  author = {Lan, K. K. Gordon and DeMets, David L.},
  journal = {Biometrika},
  volume = {70},
  number = {3},
  pages = {659--663},
  year = {1983}
}""",
    "voracek2023": """@inproceedings{voracek2023,
  title = {Sound Randomized Smoothing in Floating-Point Arithmetic},
  author = {Vor{\\'a}{\\v{c}}ek, V{\\'a}clav and Hein, Matthias},
  booktitle = {International Conference on Learning Representations},
  year = {2023}
}""",
    "yang2020": """@inproceedings{yang2020,
  title = {Randomized Smoothing of All Shapes and Sizes},
  author = {Yang, Greg and Duan, Tony and Hu, J. Edward and Salman, Hadi and Razenshteyn, Ilya and Li, Jerry},
  booktitle = {International Conference on Machine Learning},
  year = {2020},
  eprint = {2002.08118},
  archivePrefix = {arXiv}
}""",
    "levine2021": """@inproceedings{levine2021,
  title = {Improved, Deterministic Smoothing for L1 Certified Robustness},
  author = {Levine, Alexander and Feizi, Soheil},
  booktitle = {International Conference on Machine Learning},
  year = {2021}
}""",
    "jia2020": """@inproceedings{jia2020,
  title = {Certified Robustness for Top-k Predictions against Adversarial Perturbations
    via Randomized Smoothing},
  author = {Jia, Jinyuan and Cao, Xiaoyu and Wang, Binghui and Gong, Neil Zhenqiang},
  booktitle = {International Conference on Learning Representations},
  year = {2020},
  eprint = {1912.09899},
  archivePrefix = {arXiv}
}""",
    "bai2023": """@misc{bai2023,
  title = {Improving the Accuracy-Robustness Trade-off of Classifiers via Adaptive Smoothing},
  author = {Bai, Yatong and Anderson, Brendon G. and Kim, Aerin and Sojoudi, Somayeh},
  year = {2023},
  eprint = {2301.12554},
  archivePrefix = {arXiv}
}""",
}

ARITHMETIC = {"quantized": "drawn on the grid of pixel values", "float": "added in floating point"}
NO_SPLIT = "{n:,} draws chose the class and bounded its probability, at half of the failure probability"
PLANS = {
    "fixed": "{n0} draws chose the class and {n:,} fresh draws bounded its probability",
    "radii": "a declared list of radii was tested with exact group-sequential thresholds, on at most {n:,} "
    "draws",
    "precision": "a pilot of {pilot:,} discarded draws chose the budget, of at most {n:,} fresh draws",
    "open": "a bound that holds at any time was read after at most {n:,} draws",
    "exhaustive": "all {n:,} noisy copies were classified",
    "predict": "the two largest counts of {n:,} draws were tested",
}


def methods_sentence(results: Results) -> str:
    """Say in a few sentences what was done, as a methods section would, and what spoils it."""
    settings = results.settings
    subject = "A published log reports" if results.recovered else "We certified"
    on = f" of the data set {results.dataset}" if results.dataset else ""
    return (
        f"{subject} {images_of(results)}{on} with randomized smoothing (Cohen et al., 2019): "
        f"{NOISE[settings['noise']]} noise of level {settings['sigma']:g} in units of pixels in [0, 1], "
        f"{ARITHMETIC[settings['arithmetic']]}; {_procedure(settings)}{_risk(results.alpha)}. "
        f"The largest {settings['norm']} radius that this could certify is {floored(results.max_radius)}."
        + (
            f" The model is a mixture (Bai et al., 2023), {settings['mixture_of']}."
            if "mixture_of" in settings
            else ""
        )
        + (f" Mind: {settings['marked']}." if "marked" in settings else "")
    )


def _procedure(settings: Mapping[str, Any]) -> str:
    phrases = [(PLANS[settings["plan"]] if settings.get("split", True) else NO_SPLIT).format(**settings)]
    if settings.get("votes") == "soft":
        phrases.append("the mean softmax took the place of the share of votes")
    if "check_draws" in settings:
        phrases.append(
            "votes in bfloat16 stood for float32 ones, after {check_draws:,} draws of both had "
            "bounded how often they differ".format(**settings)
        )
    if settings.get("bound") == "two-sided":
        phrases.append("the strongest rival was bounded from above")
    if settings.get("top_k", 1) > 1:
        phrases.append(f"certified is membership of the top {settings['top_k']}")
    return ", ".join(phrases)


def _risk(alpha: float) -> str:
    return f", at failure probability {alpha:g} an image" if alpha else ", leaving nothing to chance"


def bibliography(results: Results) -> str:
    """Return BibTeX of the works that this run rests on, and of no others."""
    return "\n\n".join(WORKS[key] for key in _keys(results.settings)) + "\n"


def _keys(settings: Mapping[str, Any]) -> list[str]:
    used = {
        "cohen2019": True,
        "clopper1934": settings["plan"] in {"fixed", "precision"},
        "acrweakness2024": True,
        "massart1990": True,
        "lan1983": settings["plan"] == "radii",
        "voracek2023": settings["arithmetic"] == "quantized",
        "yang2020": settings["noise"] in {"laplace", "uniform"},
        "levine2021": settings["noise"] == "splitting",
        "jia2020": settings.get("top_k", 1) > 1,
        "bai2023": "mixture" in settings,
    }
    return [key for key, needed in used.items() if needed]
