"""The limit of requests: a bucket per project that fills again by one request each second."""

from dataclasses import dataclass

from sandbox.hcloud.model.errors import ApiError


@dataclass(kw_only=True, slots=True)
class RateLimit:
    """Requests left of `limit`, as of Unix second `at`; `refill` come back each second."""

    limit: int
    left: float
    at: float
    refill: float = 1.0

    def take(self, now: float) -> None:
        """Count one request. Raises rate_limit_exceeded when none is left; a refused request costs nothing."""
        self._fill(now)
        if self.left < 1:
            raise ApiError("rate_limit_exceeded", f"limit of {self.limit} requests per hour reached")
        self.left -= 1

    def set(self, now: float, *, limit: int | None, left: float | None, refill: float | None) -> None:
        """Change what is given."""
        self._fill(now)
        self.limit = self.limit if limit is None else limit
        self.refill = self.refill if refill is None else refill
        self.left = min(self.left if left is None else left, self.limit)

    def headers(self, now: float) -> dict[str, str]:
        """Return the headers that every answer carries. Reset is the Unix second at which the bucket is full again."""
        self._fill(now)
        missing = self.limit - self.left
        full_at = now + (missing / self.refill if self.refill else 3600.0)
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(int(self.left)),
            "RateLimit-Reset": str(int(full_at + 0.999)),
        }

    def _fill(self, now: float) -> None:
        self.left = min(self.limit, self.left + max(0.0, now - self.at) * self.refill)
        self.at = max(now, self.at)
