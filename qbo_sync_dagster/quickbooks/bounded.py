"""Reading an answer that may be endless, slow or packed to burst: never more than a limit.

What belongs here: how much of an answer is read, and how it may be packed. What does not: what it
says.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx

# What we ask for and unpack. One layer of these unpacks at most a thousandfold, a network read at a
# time, so the limit below is noticed in time; br and zstd have no such bound.
ACCEPTED_ENCODING = "gzip"
_UNPACKED = ("", "identity", "gzip", "deflate")


class AnswerRefusedError(Exception):
    """The answer is not read on; the message says why, to stand in brackets in a sentence."""


def read_content(
    response: httpx.Response, most: int, clock: Callable[[], float], deadline: float
) -> bytes:
    """The unpacked bytes of a streamed answer. `clock` and `deadline` are monotonic seconds.

    Raises AnswerRefusedError above `most` bytes, after the deadline, or for an unknown packing.
    """
    if response.headers.get("content-encoding", "").strip().lower() not in _UNPACKED:
        raise AnswerRefusedError("its answer is packed in a way that was not asked for")
    content = bytearray()
    for part in response.iter_bytes():
        content += part
        if len(content) > most:
            raise AnswerRefusedError("its answer is too large")
        if clock() > deadline:
            raise AnswerRefusedError("its answer took too long")
    return bytes(content)
