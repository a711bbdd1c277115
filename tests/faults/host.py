"""A process that has everything imported and forks one child for each task, which it may stop.

Starting Python with torch takes seconds, a fork takes milliseconds: so many kills are cheap. Tasks come as
lines of JSON, ``{"task", "arguments", "stop"}``; one line of JSON answers each, ``{"exit", "operations",
"seconds", "error"}``. A stop is one of

- ``{"operation": n, "signal": s}``: just before the n-th operation on files in the task's folder
  (open, rename, remove, create a folder, change access, flush to disk), counted from 1;
- ``{"write": bytes, "kill": true}``: within the write that makes a file longer than that; with
  ``"kill": false`` such writes fail, as on a full disk;
- ``{"moment": seconds, "signal": s}``: that long after the start.
"""

import json
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

COUNTED = ("open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.rmdir")


class Operations:
    """Counts operations on files inside a folder, and stops this process before a given one.

    Only those of the main thread count, so that the same number is always the same place.
    """

    def __init__(self, folder, stop):
        self.folder = folder
        self.last = stop.get("operation", 0)
        self.signal = stop.get("signal")
        self.count = 0
        self.fsync = os.fsync

    def watch(self):
        sys.addaudithook(self.on_event)
        os.fsync = self.flush

    def on_event(self, name, arguments):
        if name in COUNTED and isinstance(arguments[0], str) and arguments[0].startswith(self.folder):
            self.add()

    def flush(self, handle):
        self.add()
        self.fsync(handle)

    def add(self):
        if threading.current_thread() is threading.main_thread():
            self.count += 1
            if self.count == self.last:
                os.kill(os.getpid(), self.signal)


def run(request, tasks, answer):
    """In the child: do a task; report what came of it, unless it is killed."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stop, arguments = request["stop"] or {}, request["arguments"]
    operations = Operations(arguments["folder"], stop)
    error = None
    try:
        if "write" in stop:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (stop["write"], resource.RLIM_INFINITY))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL if stop["kill"] else signal.SIG_IGN)
        operations.watch()
        tasks[request["task"]](**arguments)
    except BaseException as caught:
        error = f"{type(caught).__name__}: {caught}"
    os.write(answer, json.dumps({"operations": operations.count, "error": error}).encode())
    os._exit(0 if error is None else 130 if error.startswith("KeyboardInterrupt") else 1)


def serve(tasks):
    """Answer requests until the input ends."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        begun = time.perf_counter()
        end, answer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(end)
            with Path("/dev/null").open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
            run(request, tasks, answer)
        os.close(answer)
        moment = (request["stop"] or {}).get("moment")
        if moment is not None:
            time.sleep(moment)
            os.kill(child, request["stop"]["signal"])
        status = os.waitpid(child, 0)[1]
        told = os.read(end, 1 << 16)
        os.close(end)
        found = {"operations": None, "error": None} | (json.loads(told) if told else {})
        found |= {"exit": os.waitstatus_to_exitcode(status), "seconds": time.perf_counter() - begun}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    from faults.tasks import TASKS, warm_up

    warm_up()
    serve(TASKS)
