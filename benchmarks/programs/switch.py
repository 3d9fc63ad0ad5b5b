"""What it costs Python to let another of many threads go on, and nothing else: SECONDS. Prints seconds a switch.

The threads stand in a ring. Each waits for its lock and releases the next one's, as a caller that waits for its reply
is woken by the one that reads for all.
"""

from __future__ import annotations

import os
import sys
import threading
import time

THREADS = 16


def main(seconds: float) -> None:
    """Measure, and leave with the threads where they are."""
    locks = [threading.Lock() for _ in range(THREADS)]
    switches = [0] * THREADS

    def run(index: int) -> None:
        mine, following = locks[index], locks[(index + 1) % THREADS]
        while True:
            mine.acquire()
            switches[index] += 1
            following.release()

    for lock in locks:
        lock.acquire()
    for index in range(THREADS):
        threading.Thread(target=run, args=(index,), daemon=True).start()
    began = time.perf_counter()
    locks[0].release()
    time.sleep(seconds)
    made, took = sum(switches), time.perf_counter() - began
    print(took / made, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(float(sys.argv[1]))
