"""The end of what a child process prints, which a bug report needs."""

import io
import threading

MAX_LOG_BYTES = 32 * 1024


class LogTail:
    """Reads a child's pipe to its end in a thread of its own, and keeps what came last."""

    def __init__(self, pipe: io.BufferedReader) -> None:
        self._pipe = pipe
        self._end = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        """What was printed, at most the last MAX_LOG_BYTES of it."""
        return self._end.decode("utf-8", "replace")

    def clear(self) -> None:
        """Forget what was printed until now."""
        self._end.clear()

    def join(self, seconds: float) -> None:
        """Wait until the child has closed its pipe, but no longer than some seconds."""
        self._thread.join(seconds)

    def _read(self) -> None:
        with self._pipe as pipe:
            while chunk := pipe.read1():
                self._end += chunk
                del self._end[:-MAX_LOG_BYTES]
