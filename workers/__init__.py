"""Workers: take shards from the queue and certify them. Started with ``python -m workers``."""
