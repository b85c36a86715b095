"""Which moment of the source each tenth of a second of a final shows and says.

The rule this module keeps: sound is the witness for when, the picture must agree. Sound is found by normalised
cross-correlation (unharmed by level and encoding); a picture agrees when the source frame most like it is of that moment, so
the right sound over a frozen or foreign picture does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from video_content.cuts import WINDOW_SECONDS, is_speech
from video_content.media import FPS, RATE_HZ, Frames, Sound, read_frames, read_sound

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

#: The final is looked at in steps of this length.
STEP_SECONDS = 0.1
#: Sound is first searched for in chunks of this length, at half the rate.
CHUNK_SECONDS = 0.5
COARSE = 2
#: Correlation from which a chunk may come from the source, and from which a step does. Re-encoded speech
#: reaches 0.95 and more, other speech of the same voice stays under 0.4.
MAY_MATCH, MATCHES = 0.45, 0.6
#: Half the stretch that a step is judged by.
AROUND_STEPS = 1
#: How far the most alike source picture may be from the moment that is heard.
PICTURE_TOLERANCE_SECONDS = 1.0
#: How alike the pictures must be at least, as a correlation.
PICTURE_MATCHES = 0.85
#: A picture no less alike than the best by this much counts as the best: encoding makes such differences.
PICTURE_TIE = 0.002
#: Captions may be burned in: the lowest quarter of the picture is not compared.
COMPARED_ROWS = 27


@dataclass(frozen=True)
class Alignment:
    """For each step of the final: the source's time (NaN where it is not from the source), and does the picture agree.

    `source_spoken` tells for each step of the source whether somebody speaks.
    """

    source_seconds: Floats
    same_picture: Bools
    source_spoken: Bools

    @property
    def matched_seconds(self) -> float:
        return float(np.count_nonzero(~np.isnan(self.source_seconds))) * STEP_SECONDS

    def steps_of(self, start: float, end: float) -> NDArray[np.intp]:
        """Find the steps of the final that come from between two times of the source."""
        with np.errstate(invalid="ignore"):
            return np.flatnonzero((self.source_seconds >= start) & (self.source_seconds < end))

    def share_of(self, start: float, end: float, *, with_picture: bool) -> float:
        """Give how much of the speech in a source stretch is in the final, 0 to 1."""
        steps = self.steps_of(start, end)
        if with_picture:
            steps = steps[self.same_picture[steps]]
        heard = np.zeros(len(self.source_spoken), dtype=bool)
        heard[np.minimum((self.source_seconds[steps] / STEP_SECONDS).astype(int), len(heard) - 1)] = True
        stretch = slice(round(start / STEP_SECONDS), round(end / STEP_SECONDS))
        spoken = self.source_spoken[stretch]
        return float((heard[stretch] & spoken).sum()) / max(1, int(spoken.sum()))

    def occurrences(self, start: float, end: float) -> list[tuple[float, float]]:
        """Find where in the final a source stretch is heard: each time it is, from and to, in seconds of the final."""
        steps = self.steps_of(start, end)
        if not len(steps):
            return []
        shift = self.source_seconds[steps] - steps * STEP_SECONDS
        # Cutting a pause out moves the shift by its length, forward; a repetition moves it back.
        breaks = np.flatnonzero((np.diff(steps) * STEP_SECONDS > 2.0) | (np.diff(shift) < -0.3))
        groups = np.split(steps, breaks + 1)
        return [(float(g[0]) * STEP_SECONDS, float(g[-1] + 1) * STEP_SECONDS) for g in groups]


def align(final: Path, source: Path) -> Alignment:
    """Align a final with its source; MediaError where either cannot be read."""
    return _align(final, final.stat().st_mtime_ns if final.exists() else 0, source, source.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _align(final: Path, _changed: int, source: Path, _source_changed: int) -> Alignment:
    sound = read_sound(source)
    seconds = match_sound(read_sound(final), sound)
    spoken = _spoken_steps(sound, int(len(sound) / RATE_HZ / STEP_SECONDS))
    return Alignment(seconds, match_pictures(seconds, read_frames(final), read_frames(source)), spoken)


def match_sound(final: Sound, source: Sound) -> Floats:
    """Give for each step of the final the source's time in seconds, NaN where it is not from there."""
    step = round(STEP_SECONDS * RATE_HZ)
    count = len(final) // step
    best = np.full(count, MATCHES, dtype=np.float32)
    seconds = np.full(count, np.nan, dtype=np.float32)
    spoken = _spoken_steps(final, count)
    for offset in _offsets(final, source):
        alike = np.where(spoken, _alike_at(final, source, offset, step, count), 0)
        wins = alike > best
        best[wins] = alike[wins]
        seconds[wins] = (np.flatnonzero(wins) * step + step // 2 + offset) / RATE_HZ
    return seconds


def _spoken_steps(final: Sound, count: int) -> Bools:
    """Only speech is compared: room tone is like any other room tone."""
    windows = is_speech(final)
    each = round(STEP_SECONDS / WINDOW_SECONDS)
    padded = (
        np.resize(windows, count * each)
        if len(windows) >= count * each
        else np.pad(windows, (0, count * each - len(windows)))
    )
    return np.asarray(padded.reshape(count, each).any(axis=1))


def _offsets(final: Sound, source: Sound) -> list[int]:
    """Search the source for chunks of the final; give the distances, in samples, at which they were found."""
    small, whole = final[::COARSE], source[::COARSE]
    chunk = round(CHUNK_SECONDS * RATE_HZ / COARSE)
    if len(small) < chunk or len(whole) < chunk:
        return []
    size = _fast_size(len(whole) + chunk)
    spectrum = np.fft.rfft(whole, size)
    energy = np.concatenate([[0.0], np.cumsum(np.square(whole, dtype=np.float64))])
    norm = np.sqrt(np.maximum(energy[chunk:] - energy[:-chunk], 1e-6))
    spoken = is_speech(final)
    found: list[int] = []
    for start in range(0, len(small) - chunk + 1, chunk // 2):
        window = start * COARSE / RATE_HZ / WINDOW_SECONDS
        if spoken[int(window) : int(window + CHUNK_SECONDS / WINDOW_SECONDS)].mean() < 0.4:
            continue
        part = small[start : start + chunk]
        alike = np.fft.irfft(spectrum * np.conj(np.fft.rfft(part, size)), size)[: len(norm)] / norm
        at = int(np.argmax(alike))
        if alike[at] >= MAY_MATCH * float(np.linalg.norm(part)):
            found.append((at - start) * COARSE)
    return _without_neighbours(found)


def _without_neighbours(offsets: list[int]) -> list[int]:
    """Take each distance once: those a few samples apart are one."""
    kept: list[int] = []
    for offset in sorted(offsets):
        if not kept or offset - kept[-1] > COARSE:
            kept.append(offset)
    return kept


def _fast_size(least: int) -> int:
    """Give a length from which a Fourier transform is fast: 2^k or 3 x 2^k or 9 x 2^k."""
    return min(factor << max(0, (-(-least // factor) - 1).bit_length()) for factor in (1, 3, 9))


def _alike_at(final: Sound, source: Sound, offset: int, step: int, count: int) -> Floats:
    """Correlate the final with the source at a distance, for each step and its neighbours."""
    moved = np.zeros(count * step, dtype=np.float32)
    low, high = max(0, -offset), min(count * step, len(source) - offset)
    if low >= high:
        return np.zeros(count, dtype=np.float32)
    moved[low:high] = source[low + offset : high + offset]
    part = final[: count * step]
    products = np.stack([part * moved, part * part, moved * moved]).reshape(3, count, step).sum(axis=2)
    padded = np.pad(products, ((0, 0), (AROUND_STEPS, AROUND_STEPS)))
    cross, one, other = np.sum([padded[:, k : k + count] for k in range(2 * AROUND_STEPS + 1)], axis=0)
    return np.asarray(cross / np.sqrt(np.maximum(one * other, 1e-9)), dtype=np.float32)


def match_pictures(seconds: Floats, final: Frames, source: Frames) -> Bools:
    """Tell for each step whether the final's picture there is of the source's moment that is heard."""
    alike = _normalised(final) @ _normalised(source).T
    good = np.zeros(len(seconds), dtype=bool)
    reach = round(PICTURE_TOLERANCE_SECONDS * FPS)
    best = alike.max(axis=1)
    for step in np.flatnonzero(~np.isnan(seconds)):
        frame = min(len(final) - 1, int((step + 0.5) * STEP_SECONDS * FPS))
        there = int(seconds[step] * FPS)
        near = alike[frame, max(0, there - reach) : there + reach + 1]
        good[step] = len(near) > 0 and near.max() >= max(PICTURE_MATCHES, best[frame] - PICTURE_TIE)
    return good


def _normalised(frames: Frames) -> Floats:
    """Make pictures comparable whatever their brightness and contrast; a plain surface is like nothing."""
    flat = frames[:, :COMPARED_ROWS].reshape(len(frames), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(np.where(length > 40, flat / np.maximum(length, 1e-6), 0), dtype=np.float32)
