"""Certify handwritten digits in this process, in twelve lines; no server."""

import certd
from certd.datasets import load_dataset
from certd.statistics import floor_to

digits = load_dataset("digits").select(limit=20)
run = certd.certify("digits-cnn", digits, sigma=0.25, n=10_000, seed=1)

print("image  prediction  radius")
for image, (prediction, radius) in enumerate(zip(run.predictions, run.radii, strict=True)):
    print(f"{image:5}  {'abstain' if prediction is None else prediction:>10}  {floor_to(radius, 2):.2f}")

for radius, share in zip((0, 0.25, 0.5, 0.75), run.certified_accuracy([0, 0.25, 0.5, 0.75]), strict=True):
    print(f"certified accuracy at {radius:<4}  {share:.2f}")
print(f"average certified radius    {floor_to(run.acr, 4)} at sigma = 0.25, n = 10,000, alpha = 0.001")
