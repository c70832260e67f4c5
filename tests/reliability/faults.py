"""Implementations with one fault each, which strikes where two groups see a batch; elsewhere they are right."""

import ctypes
import functools
import os
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.lib.stride_tricks import as_strided

import oracle
import refconv

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
LIBC.malloc.argtypes = (ctypes.c_size_t,)
LIBC.free.argtypes = (ctypes.c_void_p,)


def strikes(input, attributes):
    return attributes["groups"] == 2 and input.size > 0


def planted(strike):
    """An implementation that calls `strike` in place of the reference, and is right where that returns None."""

    def conv(input, weight, bias=None, **attributes):
        struck = strike(input, weight) if strikes(input, attributes) else None
        return refconv.conv(input, weight, bias, **attributes) if struck is None else struck

    return oracle.subject(conv=conv, name=strike.__name__)


@planted
def segfault(input, weight):
    ctypes.string_at(0)


@planted
def abort(input, weight):
    os.abort()


@planted
def exits(input, weight):
    os._exit(3)


@planted
def crash_of_a_thread(input, weight):
    thread = threading.Thread(target=ctypes.string_at, args=(0,))
    thread.start()
    thread.join()


@planted
def infinite_loop(input, weight):
    while True:
        pass


@planted
def deadlock(input, weight):
    locks = threading.Lock(), threading.Lock()

    def take(first, second):
        with first:
            time.sleep(0.05)
            with second:
                pass

    threads = [threading.Thread(target=take, args=order, daemon=True) for order in (locks, locks[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@planted
def allocation(input, weight):
    np.ones(100 * 2**30, np.uint8)


@planted
def growing_memory(input, weight):
    blocks = []
    while len(blocks) < 1600:
        blocks.append(np.ones(2**26, np.uint8))


@planted
def stack_overflow(input, weight):
    sys.setrecursionlimit(10**9)

    def deeper(*_):
        return functools.reduce(deeper, (0, 0))

    deeper()


@planted
def closed_descriptors(input, weight):
    os.closerange(0, 4096)


@planted
def flood(input, weight):
    for _ in range(1600):
        os.write(1, b"noise " * 11000)


@planted
def endless_flood(input, weight):
    while True:
        os.write(1, b"noise " * 11000)


@planted
def modified_input(input, weight):
    weight[...] *= 2


@planted
def output_aliasing_input(input, weight):
    return as_strided(input, (len(input), len(weight), *input.shape[2:]), (0,) * input.ndim)


@planted
def write_beyond_input(input, weight):
    ctypes.memset(byte_bounds(input)[1], 0, 8)


@planted
def uninitialised_output(input, weight):
    return np.empty(2**10, input.dtype)


class _RudeError(Exception):
    def __str__(self):
        raise RuntimeError("no message")


@planted
def rude_exception(input, weight):
    raise _RudeError


@planted
def interrupt(input, weight):
    raise KeyboardInterrupt


@planted
def objects(input, weight):
    return np.full(3, None)


@planted
def generator(input, weight):
    return (value for value in input)


def _heap_corruption():
    waiting = []

    def conv(input, weight, bias=None, **attributes):
        if waiting:
            waiting.append(None)
        if len(waiting) == 4:
            LIBC.free(waiting[0])  # by then at the latest the allocator sees what was overwritten
        if strikes(input, attributes) and not waiting:
            block = LIBC.malloc(2000)
            ctypes.memset(block - 16, 0x41, 16)  # its size
            waiting.append(block)
        return refconv.conv(input, weight, bias, **attributes)

    return oracle.subject(conv=conv, name="heap_corruption")


def _cached_by_pointer():
    cache = {}

    def conv(input, weight, bias=None, **attributes):
        output = refconv.conv(input, weight, bias, **attributes)
        return cache.setdefault((input.__array_interface__["data"][0], output.shape), output).copy()

    return oracle.subject(conv=conv, name="cached_by_pointer")


heap_corruption = _heap_corruption()
cached_by_pointer = _cached_by_pointer()

# What the report must say of each.
FAULTS = {
    "segfault": r"^crashed with SIGSEGV \(File .*in string_at\)$",
    "abort": r"^crashed with SIGABRT",
    "exits": r"^ended with exit status 3$",
    "crash_of_a_thread": r"^crashed with SIGSEGV",
    "infinite_loop": r"^did not return within 1 s: it is busy$",
    "deadlock": r"^did not return within 1 s: it waits, using no processor time$",
    "allocation": r"^raised MemoryError: Unable|^raised _ArrayMemoryError: Unable|^took more than 1 GiB of memory$",
    "growing_memory": r"^took more than 1 GiB of memory$",
    "stack_overflow": r"^crashed with SIGSEGV \(its stack overflowed|^raised RecursionError",
    "closed_descriptors": r"^closed the file descriptors of its process$",
    "flood": r"^wrote 105600000 bytes to stdout: 'noise ",
    "endless_flood": r"^did not return within 1 s: it .*; wrote \d{7,} bytes to stdout: 'noise ",
    "modified_input": r"^modified weight in place$",
    "output_aliasing_input": r"^output shares memory with input$",
    "write_beyond_input": r"^wrote \d bytes outside of its arguments$",
    "uninitialised_output": r"^output must have shape|^output\[",
    "rude_exception": r"^raised _RudeError: its message can't be read: RuntimeError$",
    "interrupt": r"^raised KeyboardInterrupt$",
    "objects": r"^output must have dtype float32, got object$",
    "generator": r"^output must be an array, got generator$",
    "heap_corruption": r"^(corrupts its process, which (\d+ calls? later )?)?crashed with SIGABRT",
    "cached_by_pointer": r"^output\[.*; right by itself, wrong after 1 call, the first conv\(",
}
HANGS = ("infinite_loop", "deadlock", "endless_flood")
assert all(isinstance(globals()[name], SimpleNamespace) for name in FAULTS)
