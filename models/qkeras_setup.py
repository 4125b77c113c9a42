"""Imported before TensorFlow, QKeras or hls4ml, anywhere: makes them agree on one Keras.

QKeras 0.9 is written for Keras 2, which lives on as `tf_keras`; TensorFlow's own `tf.keras` follows only when
TF_USE_LEGACY_KERAS is set before its first import. hls4ml decides by `keras.__version__` which Keras it reads, and
would find Keras 3 there, so the name `keras` must stand for `tf_keras` before hls4ml is imported.

Keras reads ~/.keras/keras.json, where a user may have set another type of numbers or another order of axes, and makes
that file if it is not there. Here both are given: KERAS_HOME names no folder.

Eigen shares a matrix product out among threads also along the dimension that is summed: floating sums depend on the
number of threads. It is two, whatever the machine has, unless TF_NUM_INTRAOP_THREADS says otherwise.

A GPU that TensorFlow finds is used. By default it would round the factors of matrix products to 11 bits
(TensorFloat-32), where the chip's sums must be exact before they are cut.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["KERAS_HOME"] = os.devnull
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "2")


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Keep what TensorFlow's C++ says about absent GPUs off the terminal.

    It is written to descriptor 2 directly, before any setting of its log level counts. Should the start fail,
    everything is shown after all.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as unsaid:
        os.dup2(unsaid.fileno(), 2)
        try:
            yield
        except BaseException:
            unsaid.seek(0)
            os.write(terminal, unsaid.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


try:
    with _quiet_start():
        import tensorflow
        import tf_keras

        tensorflow.constant(0)  # starts the devices, which has its own messages
        tensorflow.config.experimental.enable_tensor_float_32_execution(False)
except ImportError as error:
    from models.errors import ToolMissing

    raise ToolMissing(f"training and conversion need TensorFlow ({error}): pip install '.[training]'") from None

sys.modules["keras"] = tf_keras
