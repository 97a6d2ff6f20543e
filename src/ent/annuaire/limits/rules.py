"""What happens after so many failures."""

from dataclasses import dataclass
from datetime import timedelta

# Delays double; beyond this many doublings the longest delay has long been reached.
_DOUBLINGS = 30


@dataclass(frozen=True)
class Rule:
    """Free tries, then delays that double, then a lock.

    free: failures without any delay.
    first_delay: seconds to wait after the next failure; each further one doubles it.
    longest_delay: seconds that no delay exceeds.
    lock_after: failures after which nothing is tried until somebody lifts the
        lock; 0: never.
    forget_after: seconds without a failure after which the count begins anew; a
        lock is not forgotten.
    """

    free: int
    first_delay: int
    longest_delay: int
    lock_after: int
    forget_after: int

    def __post_init__(self) -> None:
        for name in ("first_delay", "longest_delay", "forget_after"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected seconds, 1 or more")
        if self.free < 0:
            raise ValueError(f"free is {self.free}, expected failures without delay, 0 or more")
        if self.longest_delay < self.first_delay:
            raise ValueError(
                f"longest_delay is {self.longest_delay}, expected at least "
                f"first_delay, {self.first_delay}"
            )
        if self.forget_after < self.longest_delay:
            raise ValueError(
                f"forget_after is {self.forget_after}, expected at least "
                f"longest_delay, {self.longest_delay}: a count must outlive its delay"
            )
        if self.lock_after and self.lock_after <= self.free:
            raise ValueError(
                f"lock_after is {self.lock_after}, expected more than free, {self.free}; 0: never"
            )

    def delay_after(self, failures: int) -> timedelta:
        """How long nothing is tried after this many failures."""
        if failures <= self.free:
            return timedelta(0)
        doublings = min(failures - self.free - 1, _DOUBLINGS)
        return timedelta(seconds=min(self.first_delay * 2**doublings, self.longest_delay))

    def locks_after(self, failures: int) -> bool:
        """Whether this many failures lock."""
        return 0 < self.lock_after <= failures


# A person mistypes a code from a letter a few times; a guesser of birth dates has
# 25,000 to try. Ten tries, spread over half an hour.
ACCOUNT = Rule(free=3, first_delay=30, longest_delay=1800, lock_after=10, forget_after=86400)
# Many people may share one address (a reading room, a residence), and an attempt under way
# counts as a failure until it has succeeded: delays only, and later.
NETWORK = Rule(free=40, first_delay=30, longest_delay=900, lock_after=0, forget_after=3600)
