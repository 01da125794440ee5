# SPDX-License-Identifier: MIT
# necropy: stops an interpreter in the middle of its start.
"""Imported by site when this folder is on PYTHONPATH; see moments.py."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

oracle.hold()
