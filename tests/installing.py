"""Installs a package into a folder of its own, without a network."""

import os
import subprocess
import sys


def install(source, site):
    """Returns the environment under which Python finds it before the checkout."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(site), str(source)], check=True, cwd=site.parent)
    return {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
