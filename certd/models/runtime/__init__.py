"""Make a base classifier fast on one device without changing what it computes, and record what was done."""
