"""Imported before TensorFlow, QKeras or hls4ml, anywhere: makes them agree on one Keras.

QKeras 0.9 is written for Keras 2, which lives on as `tf_keras`; TensorFlow's own `tf.keras` follows only when
TF_USE_LEGACY_KERAS is set before its first import. hls4ml decides by `keras.__version__` which Keras it reads, and would
find Keras 3 there, so the name `keras` must stand for `tf_keras` before hls4ml is imported.
"""

from __future__ import annotations

import os
import sys

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

try:
    import tf_keras
except ImportError as error:
    from models.errors import ToolMissing

    raise ToolMissing(f"training and conversion need TensorFlow ({error}): pip install '.[training]'") from None

sys.modules["keras"] = tf_keras
