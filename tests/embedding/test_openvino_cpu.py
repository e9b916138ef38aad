"""OpenVINO beside what else a process does."""

import subprocess
import sys

DROPPED_ELSEWHERE = """
import gc, os, signal, threading
import numpy as np
import openvino as ov
from openvino import opset13 as op
from embedding.openvino_cpu import Lanes

value = op.parameter([-1], ov.Type.f32)
lanes = [Lanes(ov.Model([op.add(value, np.float32(1))], [value], "one-more"), 1, 1)]
assert lanes[0](np.zeros(1, np.float32)).tolist() == [1]
thread = threading.Thread(target=lambda: (lanes.clear(), gc.collect()))
thread.start()
thread.join()
signal.signal(signal.SIGTERM, lambda *_: print("told", flush=True))
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_process_whose_model_went_in_another_thread_survives_a_signal():
    done = subprocess.run([sys.executable, "-c", DROPPED_ELSEWHERE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr
