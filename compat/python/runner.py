"""Runs the cases of must-pass, several at a time, each in a process of its own with a time limit.

Usage: runner.py ADDR [CLIENT | CLIENT/CASE | CASE…]. QUICK=1 leaves out what must-pass marks slow.
A case of a client's module that must-pass does not list, or the other way round, is a failure.
"""

import asyncio
import faulthandler
import importlib
import inspect
import logging
import multiprocessing
import os
import pathlib
import signal
import sys
import tempfile
import time
import traceback
from multiprocessing.connection import wait

import harness

HERE = pathlib.Path(__file__).resolve().parent
MODULES = {
    "confluent-kafka": "confluent_kafka_cases",
    "kafka-python": "kafka_python_cases",
    "kafka-python-2.0.2": "kafka_python_old_cases",
    "aiokafka": "aiokafka_cases",
}
FORK = multiprocessing.get_context("fork")
SIDE_BY_SIDE = 6  # most of a case is waiting
LIMIT_S = 60
OUTPUT_SHOWN = 6000  # characters


def listed():
    """{CLIENT/CASE: slow} of must-pass, in its order."""
    cases = {}
    for line in (HERE / "must-pass").read_text().splitlines():
        name, _, comment = line.partition("#")
        if name.strip():
            cases[name.strip()] = comment.strip() == "slow"
    return cases


def load(client):
    """A client's module. Two clients bring a package `kafka`, so that each process loads one module."""
    if client == "kafka-python-2.0.2":
        sys.path.insert(0, str(pathlib.Path(sys.prefix) / "old"))
    return importlib.import_module(MODULES[client])


def defined():
    """CLIENT/CASE of every case that a module has. A process for each: this one loads no client."""
    names = []
    for client in MODULES:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        process = FORK.Process(target=lambda: sender.send([n for n in dir(load(client)) if n.startswith("case_")]))
        process.start()
        sender.close()
        names += [f"{client}/{name.removeprefix('case_')}" for name in receiver.recv()]
        process.join()
    return names


def run_case(addr, full_name, output):
    """The life of one case's process."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    faulthandler.register(signal.SIGUSR1)  # says where it hangs
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")  # shown when the case fails
    client, name = full_name.split("/")
    status = 1
    try:
        case = getattr(load(client), f"case_{name}")
        k = harness.Case(addr, full_name.replace("/", "-"))
        if inspect.iscoroutinefunction(case):
            asyncio.run(case(k))
        else:
            case(k)
        status = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # clients' threads that a failed case left behind do not hold it up


class Running:
    def __init__(self, addr, name):
        self.name = name
        self.began = time.monotonic()
        self.output = tempfile.TemporaryFile()
        self.process = FORK.Process(
            target=run_case, args=(addr, name, self.output.fileno())
        )
        self.process.start()

    def seconds(self):
        return time.monotonic() - self.began

    def stop(self):
        os.kill(self.process.pid, signal.SIGUSR1)
        self.process.join(1)
        self.process.kill()

    def said(self):
        self.output.seek(0)
        return self.output.read().decode(errors="replace")


def main(addr, wanted):
    must = listed()
    there = list(defined())
    passed, failures = 0, []

    def report(name, reason=None):
        nonlocal passed
        if reason is None:
            passed += 1
            print(f"PASS {name}")
        else:
            failures.append(name)
            print(f"FAIL {name}: {reason}")

    for name in there:
        if name not in must:
            report(name, "not listed in must-pass")
    for name in must:
        if name not in there:
            report(name, "listed in must-pass, and no such case")

    chosen = [name for name in must if name in there]
    if wanted:
        chosen = [n for n in chosen if any(w in (n, *n.split("/")) for w in wanted)]
    elif os.environ.get("QUICK") == "1":
        chosen = [n for n in chosen if not must[n]]

    queue, running = list(reversed(chosen)), []
    while queue or running:
        while queue and len(running) < SIDE_BY_SIDE:
            running.append(Running(addr, queue.pop()))
        wait([r.process.sentinel for r in running], timeout=0.2)
        for r in list(running):
            late = r.seconds() > LIMIT_S
            if late:
                r.stop()
            if late or not r.process.is_alive():
                running.remove(r)
                r.process.join()
                if os.environ.get("TIMES"):
                    print(f"{r.seconds():5.1f} s {r.name}")
                if late:
                    report(r.name, f"did not end in {LIMIT_S} s\n{r.said()[-OUTPUT_SHOWN:]}")
                elif r.process.exitcode != 0:
                    report(r.name, f"exit code {r.process.exitcode}\n{r.said()[-OUTPUT_SHOWN:]}")
                else:
                    report(r.name)

    print(f"{passed} passed, {len(failures)} failed")
    return 0 if passed > 0 and not failures else 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: runner.py ADDR [CLIENT | CLIENT/CASE | CASE…]")
    sys.exit(main(sys.argv[1], sys.argv[2:]))
