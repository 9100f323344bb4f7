"""The models that come with the package: weights, their sidecars and the scripts that made them."""
