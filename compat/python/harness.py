"""What the cases of every client are written with.

A case is a function case_NAME(k) of a client's module, k being a Case: the broker's address and
names that no other case uses, so that cases run side by side. It fails by raising.
"""

import contextlib
import copy
import json
import time

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

# How long a case may wait for something to become true. Far more than it takes: it ends a vain wait.
PATIENCE_S = 25.0


class Case:
    """The broker's address, and a topic and a group of this case's own (as names; nothing exists yet)."""

    def __init__(self, addr, name):
        self.addr = addr
        self.topic = f"{name}-{time.time_ns() // 1000:x}"
        self.group = f"{self.topic}-group"

    def on(self, topic):
        """The same case, with another topic if one is named."""
        other = copy.copy(self)
        other.topic = topic or self.topic
        return other


def same(want, got):
    if want != got:
        raise AssertionError(f"\nwant {shown(want)}\n got {shown(got)}")


def has(want, text):
    if want not in text:
        raise AssertionError(f"{shown(want)} is not in {shown(text)}")


def shown(value):
    text = repr(value)
    return text if len(text) < 600 else text[:400] + " … " + text[-200:]


def until(condition, what="", patience=PATIENCE_S):
    """Asks until the answer is true, and returns it."""
    deadline = time.monotonic() + patience
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"after {patience:.0f} s still not: {what or condition}")
        time.sleep(0.02)


async def until_async(condition, what="", patience=PATIENCE_S):
    """until with a condition that is awaited."""
    import asyncio

    deadline = time.monotonic() + patience
    while True:
        answer = await condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"after {patience:.0f} s still not: {what or condition}")
        await asyncio.sleep(0.02)


class Refusal:
    error = None


@contextlib.contextmanager
def refused(kind, *says):
    """The block has to raise an error of this kind that says these words; it is then in .error."""
    refusal = Refusal()
    try:
        yield refusal
    except kind as error:
        refusal.error = error
        for word in says:
            has(word, repr(error) + str(error))
    else:
        raise AssertionError(f"not refused, no {kind.__name__}")


def payloads(n, size=100):
    """n values that differ and that compress."""
    return [json.dumps({"n": i, "text": "a value like the others " * (size // 24)}).encode() for i in range(n)]
