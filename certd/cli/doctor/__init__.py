"""``certd doctor``: looks at everything a service stands on, and says what to mend."""

from certd.cli.doctor.command import doctor

__all__ = ["doctor"]
