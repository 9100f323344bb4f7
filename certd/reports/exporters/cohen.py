"""Cohen's TSV, as the reference script writes it but for the rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.errors import InvalidParameter
from certd.reports.importers.cohen import ABSTAINED, COLUMNS
from certd.statistics import floor_to

if TYPE_CHECKING:
    from certd.reports.results import Results

DECIMALS = 6
# The time of one image is not recorded: draws of many images share a batch.
NO_TIME = "0:00:00"


def export_cohen(results: Results, decimals: int = DECIMALS) -> str:
    """Write Cohen's TSV; radii are rounded down to the digits printed.

    With six decimals the counts can be recovered from it for the usual budgets.

    Args:
        results: Labelled results under Gaussian noise in l2, which is all the format can mean.
        decimals: Digits of the radius, in [0, 15].

    Returns:
        The file: ``idx label predict radius correct time``, -1 for an abstention.

    Raises:
        InvalidParameter: If the format cannot hold these results.
    """
    if (results.settings["noise"], results.settings["norm"]) != ("gaussian", "l2"):
        raise InvalidParameter("Cohen's TSV means Gaussian noise and l2 radii; export these results as CSV.")
    if results.top_k > 1:
        raise InvalidParameter(
            f"Cohen's TSV cannot say that these certificates are top-{results.top_k}; export them as CSV."
        )
    if results.labels is None:
        raise InvalidParameter("Cohen's TSV needs a label for every image; export these results as CSV.")
    columns = (results.image_ids, results.labels, results.top_classes, results.certified, results.radii)
    lines = ["\t".join(COLUMNS)]
    for index, label, top_class, certified, radius in zip(*columns, strict=True):
        prediction = int(top_class) if certified else ABSTAINED
        printed = f"{floor_to(float(radius), decimals):.{decimals}f}"
        lines.append(f"{index}\t{label}\t{prediction}\t{printed}\t{int(prediction == label)}\t{NO_TIME}")
    return "\n".join(lines) + "\n"
