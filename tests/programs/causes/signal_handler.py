# SPDX-License-Identifier: MIT
# necropy: a signal handler that notes every signal.
import os
import signal

import service

SOURCE = '''
received = []

def note(number, frame):
    received.append({"signal": number, "at": len(received) * 0.5})
'''


def main():
    service.start()
    signals = service.module("ops.signals", SOURCE)
    signal.signal(signal.SIGUSR1, signals.note)
    for _ in range(service.count(8000)):
        os.kill(os.getpid(), signal.SIGUSR1)
    service.rest()


if __name__ == "__main__":
    main()
