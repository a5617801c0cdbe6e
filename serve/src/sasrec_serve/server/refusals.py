"""Why a request is not answered: a status, one message, and where the mistake is."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - not an error of the program: the client is told
    """A request that is answered with a status of 400 or above.

    Attributes:
        status: The HTTP status.
        message: What is wrong and how to fix it.
        where: The part of the request, such as ``body.k``; None if it is the whole.
        retry_seconds: After how many seconds the client should try again; None to say nothing.
    """

    def __init__(
        self,
        status: int,
        message: str,
        where: str | None = None,
        *,
        retry_seconds: int | None = None,
    ) -> None:
        """Keep what the client is told.

        Args:
            status: The HTTP status.
            message: What is wrong and how to fix it.
            where: The part of the request.
            retry_seconds: When to try again.
        """
        super().__init__(message)
        self.status, self.message, self.where = status, message, where
        self.retry_seconds = retry_seconds


class Overloaded(Refused):
    """A request that would have to wait too long: status 503, with Retry-After."""

    def __init__(self, seconds: float) -> None:
        """Tell the client when to try again.

        Args:
            seconds: The expected waiting time.
        """
        wait = max(1, min(30, round(seconds)))
        super().__init__(
            503, f"the server is overloaded; try again in {wait} s", retry_seconds=wait
        )


class WrongMethod(Refused):
    """A path that is asked with another method than it has.

    Attributes:
        allowed: The method it has.
    """

    def __init__(self, allowed: str) -> None:
        """Tell the client which method to use.

        Args:
            allowed: The method.
        """
        super().__init__(405, f"this path is asked with {allowed}", "method")
        self.allowed = allowed
