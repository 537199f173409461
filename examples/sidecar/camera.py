import os
import signal
import sys

import numpy as np
from pyshm_attach import attach_ring

frames, statistics = attach_ring(sys.argv[1]), attach_ring(sys.argv[2], readonly=True)
last = int(sys.argv[3])
scene = np.linspace(0, 0.25, 240 * 320, dtype="f4").reshape(240, 320)


def check(measured, frame):
    """Compare what Go has measured with numpy."""
    assert np.isclose(measured["mean"], frame.mean()), measured
    assert measured["min"] == frame.min() and measured["max"] == frame.max(), measured
    assert (measured["histogram"] == np.histogram(frame, 16, (0, 1))[0]).all(), measured


signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for Go, which ends this process
parent = os.getppid()
exposure, exposures = np.float32(1), {}
n, seen, checked = 0, 0, False
while (n < last or not checked) and os.getppid() == parent:
    n = frames.publish(scene * exposure)
    exposures[n] = exposure
    exposures.pop(n - 1000, None)
    try:
        seen, measured = statistics.next(seen, timeout=0)
    except TimeoutError:
        continue  # no news: write the next frame
    used = exposures.get(int(measured["frame"]))
    if used is None:
        continue  # it was before this process, or long ago
    if used == 1:
        exposure = np.float32(0.5 / measured["mean"])
    elif not checked:
        check(measured, scene * used)
        checked = True
        print("Python: with the exposure %.1f the mean is %.2f" % (used, measured["mean"]), flush=True)
