#!/usr/bin/env python3
"""Runs the Python tests in a venv of their own: `run.py [pytest arguments]`.

The venv is made when it is missing or the requirements changed; TRUSTSTREAM_VENV says where.
TRUSTSTREAM_TEST_BACKEND chooses one backend; without it the tests run on each.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"


def prepare(folder: Path) -> Path:
    python = folder / "bin" / "python"
    mark = folder / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if python.exists() and mark.exists() and mark.read_text() == wanted:
        return python
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", REQUIREMENTS], check=True)
    mark.write_text(wanted)
    return python


def main() -> int:
    folder = Path(os.environ.get("TRUSTSTREAM_VENV", Path.home() / ".cache" / "truststream" / "venv"))
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [prepare(folder), "-m", "pytest", *sys.argv[1:]]
    return subprocess.run(command, cwd=HERE, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
