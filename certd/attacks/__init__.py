"""What an adversary finds: evidence from above beside what is proved from below."""
