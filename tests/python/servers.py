"""Starts what the tests need, on free ports in temporary folders, and takes it away again."""

import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ports import free_port

TESTS = Path(__file__).resolve().parent.parent
BACKENDS = ("sqlite", "postgres")
# How long anything may take on a busy machine, in seconds.
PATIENCE = 120
# A busy machine is not a provider that is down.
PATIENT = '[health]\ntimeout = "120s"\nlatency = "120s"\n'


@dataclass(frozen=True)
class App:
    """A gateway that is ready."""

    backend: str
    url: str
    anon_key: str
    service_key: str
    jwt_secret: str


@contextmanager
def running_app(backend: str) -> Iterator[App]:
    """A copy of the fixture project with a gateway of its own."""
    with temporary_folder("project") as folder:
        shutil.copytree(TESTS / "fixtures" / "app", folder, dirs_exist_ok=True)
        settings = folder / "truststream.toml"
        if backend == "sqlite":
            settings.write_text(PATIENT)
            with gateway(folder) as ready:
                yield app_of(backend, ready)
            return
        with postgres() as url:
            settings.write_text(on_postgres(url) + PATIENT)
            with gateway(folder) as ready:
                yield app_of(backend, ready)


def app_of(backend: str, ready: dict) -> App:
    return App(backend, ready["api_url"], ready["anon_key"], ready["service_role_key"], ready["jwt_secret"])


def on_postgres(url: str) -> str:
    return f"""active = "main"

[backend.main]
database = {{ provider = "postgres", url = "{url}" }}
storage = {{ provider = "fs", root = ".truststream/objects" }}
auth = {{ provider = "native" }}
"""


@contextmanager
def gateway(folder: Path) -> Iterator[dict]:
    default = TESTS.parent / "target" / "release" / "truststream"
    binary = Path(os.environ.get("TRUSTSTREAM_BIN", default)).resolve()
    if not binary.exists():
        raise RuntimeError(f"{binary} is not there: cargo build --release, or set TRUSTSTREAM_BIN")
    # TRUSTSTREAM_* variables are settings of the binary: none of ours may reach it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRUSTSTREAM_")}
    with (folder / "gateway.log").open("w+") as log:
        process = subprocess.Popen(
            [binary, "dev", "--project", folder, "--port", "0", "--json"],
            cwd=folder,
            env={**environment, "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield first_line(process, log)
            stop(process, signal.SIGTERM)
            if process.returncode != 0:
                raise RuntimeError(f"the gateway ended with {process.returncode}:\n{tail(log)}")
        finally:
            stop(process, signal.SIGKILL)


def first_line(process: subprocess.Popen, log) -> dict:
    readable, _, _ = select.select([process.stdout], [], [], PATIENCE)
    line = process.stdout.readline() if readable else ""
    if not line:
        raise RuntimeError(f"the gateway was not ready:\n{tail(log)}")
    return json.loads(line)


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of one's own: gives its URL."""
    with temporary_folder("postgres") as folder:
        user = ordinary_user()
        if user:
            shutil.chown(folder, user["user"], user["group"])
        data = folder / "data"
        environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
        quiet = {"cwd": folder, "env": environment, "stdout": subprocess.DEVNULL}
        initdb = [program("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, **quiet, **user)
        port = free_port()
        settings = ("fsync=off", "full_page_writes=off", "max_wal_size=128MB", "jit=off", "wal_level=logical", "timezone=UTC", "unix_socket_directories=")
        command = [program("postgres"), "-D", data, "-h", "127.0.0.1", "-p", str(port)]
        for setting in settings:
            command += ["-c", setting]
        with (folder / "log").open("w+") as log:
            process = subprocess.Popen(command, stderr=log, **quiet, **user)
            try:
                wait_for_postgres(port, process, log)
                yield f"postgres://postgres@127.0.0.1:{port}/postgres"
            finally:
                stop(process, signal.SIGINT)


def wait_for_postgres(port: int, process: subprocess.Popen, log) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if "ready to accept connections" in tail(log):
            with socket.create_connection(("127.0.0.1", port)):
                return
        time.sleep(0.02)
    raise RuntimeError(f"PostgreSQL did not start:\n{tail(log)}")


def ordinary_user() -> dict:
    """PostgreSQL refuses to run as root: then it runs as `postgres` or `nobody`."""
    if os.getuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def program(name: str) -> str:
    packaged = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or (str(packaged[0]) if packaged else None)
    if found is None:
        raise RuntimeError(f"{name} is not on this machine: install PostgreSQL 15 or put it on the PATH")
    return found


def stop(process: subprocess.Popen, how: signal.Signals) -> None:
    if process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(log) -> str:
    log.flush()
    return Path(log.name).read_text()[-4000:]


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"truststream-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
