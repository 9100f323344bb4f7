"""Jobs: a job is a folder, cut into shards, sent through a queue, reconciled until it has ended."""
