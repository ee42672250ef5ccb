"""When several videos show the same moment, by what they recorded: a time code, or the sound of the scene."""

import contextlib
import re
from fractions import Fraction

import av
import numpy as np

from ...core.array_types import FloatArray
from ..footage.frame_source import PathArgument

SOUND_RATE = 8000  # Hz
MAX_SOUND_SECONDS = 1200.0
# The best shift of two sounds has to stand out from the other shifts by so many standard deviations.
CLEAR_SOUND = 12.0
MIN_SOUND_SECONDS = 1.0
_TIME_CODE = re.compile(r"^(\d{1,2}):(\d{2}):(\d{2})([:;.])(\d{1,3})$")


def read_time_code(path: PathArgument) -> float | None:
    """The time code of a video's first frame, s since midnight; None without one, or where the file is no video."""
    with contextlib.suppress(av.error.FFmpegError, OSError, ValueError), av.open(str(path)) as container:
        rate = next((stream.average_rate for stream in container.streams.video if stream.average_rate), None)
        words = [container.metadata.get("timecode"), *(stream.metadata.get("timecode") for stream in container.streams)]
        for word in words:
            if word and rate and (seconds := parse_time_code(word, rate)) is not None:
                return seconds
    return None


def parse_time_code(word: str, rate: Fraction | float) -> float | None:
    """The seconds since midnight of a time code such as 10:00:02:12, at so many frames a second; with ; it drops numbers (SMPTE 12M)."""
    match = _TIME_CODE.match(word.strip())
    if match is None:
        return None
    hours, minutes, seconds, frame = (int(match[group]) for group in (1, 2, 3, 5))
    nominal = round(float(rate))
    if nominal < 1 or frame >= max(nominal, 1):
        return None
    count = ((hours * 60 + minutes) * 60 + seconds) * nominal + frame
    if match[4] in ";.":
        total_minutes = 60 * hours + minutes
        count -= (nominal // 15) * (total_minutes - total_minutes // 10)
    return count / float(rate)


def read_sound(path: PathArgument) -> FloatArray | None:
    """The sound of a video (N,) at SOUND_RATE from its first frame on; None without any, or if it is silent."""
    samples: list[FloatArray] = []
    with contextlib.suppress(av.error.FFmpegError, OSError, ValueError), av.open(str(path)) as container:
        if not container.streams.audio or not container.streams.video:
            return None
        stream, video = container.streams.audio[0], container.streams.video[0]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SOUND_RATE)
        start = float((stream.start_time or 0) * (stream.time_base or 0)) - float((video.start_time or 0) * (video.time_base or 0))
        count = 0
        for frame in container.decode(stream):
            for part in resampler.resample(frame):
                samples.append(part.to_ndarray().reshape(-1).astype(float))
                count += len(samples[-1])
            if count > MAX_SOUND_SECONDS * SOUND_RATE:
                break
        sound = np.concatenate(samples) if samples else np.zeros(0)
        shift = round(start * SOUND_RATE)
        sound = np.concatenate([np.zeros(shift), sound]) if shift >= 0 else sound[-shift:]
        return sound if len(sound) > MIN_SOUND_SECONDS * SOUND_RATE and np.std(sound) > 1e-5 else None
    return None


def sound_delay(first: FloatArray, second: FloatArray) -> float | None:
    """By how much the second recording's clock is ahead of the first's, s; None if the sounds have no clear shift in common.

    Generalised cross-correlation with phase transform (Knapp and Carter 1976), over the frequencies of voices and claps.
    """
    size = 1 << int(np.ceil(np.log2(len(first) + len(second))))
    spectrum = np.conj(np.fft.rfft(first, size)) * np.fft.rfft(second, size)
    frequencies = np.fft.rfftfreq(size, 1 / SOUND_RATE)
    spectrum = np.where((frequencies > 100) & (frequencies < 3500), spectrum / np.maximum(np.abs(spectrum), 1e-12), 0)
    correlation = np.fft.irfft(spectrum, size)
    lags = np.r_[0 : len(second), -(len(first) - 1) : 0]
    values = correlation[lags]
    best = int(np.argmax(values))
    if values[best] < CLEAR_SOUND * np.std(correlation):
        return None
    return float(lags[best]) / SOUND_RATE
