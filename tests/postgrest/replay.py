#!/usr/bin/env python3
"""Replays PostgREST's own cases against the binary on a PostgreSQL of this run's own.

usage: replay.py [--at-least PERCENT] [arguments of run.py …]

TRUSTSTREAM_BIN names the binary (default: target/release/truststream), POSTGRES_BIN the folder of
PostgreSQL's programs. PostGIS must be installed (postgresql-15-postgis-3). The exit status is 0 when
at least so many percent of the cases that run under the base configuration passed.
"""
import argparse
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DUMPED = pathlib.Path("/tmp/projects_dump.csv")  # the file that foreign table test.projects_dump names
ROLES = """
create role "Postgrest_Test_Authenticator" login noinherit;
create role postgrest_test_anonymous; create role postgrest_test_default_role; create role postgrest_test_author;
create role postgrest_test_superuser superuser;
grant postgrest_test_anonymous, postgrest_test_default_role, postgrest_test_author, postgrest_test_superuser
  to "Postgrest_Test_Authenticator";
alter database postgres set request.jwt.claim.id = '-1';
"""
CONFIGURATION = """
active = "main"

[backend.main.database]
provider = "postgres"
url = "postgresql://{user}@127.0.0.1:{port}/postgres"
extra_search_path = []
pre_request = "test.switch_role"
bootstrap = false
app_settings = {{ "app.settings.app_host" = "localhost", "app.settings.external_api_secret" = "0123456789abcdef" }}

[rest]
schemas = ["test"]
extra_search_path = []
anon_role = "postgrest_test_anonymous"
tx_end = "rollback-allow-override"
server_timing = true

[auth]
jwt_secret = "reallyreallyreallyreallyverysafe"
roles = ["postgrest_test_anonymous", "postgrest_test_default_role", "postgrest_test_author", "postgrest_test_superuser"]
"""


def programs():
    if "POSTGRES_BIN" in os.environ:
        return pathlib.Path(os.environ["POSTGRES_BIN"])
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        sys.exit("no PostgreSQL found: install postgresql-15 and postgresql-15-postgis-3, or set POSTGRES_BIN")
    return found[-1].parent


def as_postgres(*command):
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "env", "HOME=/tmp", *command]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    def __init__(self, folder):
        self.bin, self.port, data = programs(), free_port(), folder / "data"
        data.mkdir()
        if os.geteuid() == 0:
            subprocess.run(["chown", "postgres", folder, data], check=True)
        quiet = {"stdout": subprocess.DEVNULL, "cwd": "/tmp", "check": True}
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(as_postgres(self.bin / "initdb", "-D", data, *options), **quiet)
        settings = ["-c", "fsync=off", "-c", "timezone=UTC", "-c", "autovacuum=off", "-k", folder, "-p", str(self.port)]
        self.process = subprocess.Popen(
            as_postgres(self.bin / "postgres", "-D", data, *settings), stderr=subprocess.DEVNULL, cwd="/tmp"
        )
        for _ in range(300):
            ready = subprocess.run([self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)])
            if ready.returncode == 0:
                return
            time.sleep(0.1)
        sys.exit("PostgreSQL did not start")

    def sql(self, text):
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", "postgres"]
        subprocess.run([self.bin / "psql", *where, "-qX", "-v", "ON_ERROR_STOP=1", "-c", text], check=True)

    def restore(self):
        self.sql(ROLES)
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", "postgres"]
        # Six errors about recursive views in restore order are expected.
        done = subprocess.run([self.bin / "pg_restore", *where, HERE / "database.dump"], capture_output=True, text=True)
        errors = re.search(r"errors ignored on restore: (\d+)", done.stderr)
        if not errors or int(errors[1]) > 6:
            sys.exit(f"the database could not be restored:\n{done.stderr[-2000:]}")
        DUMPED.unlink(missing_ok=True)
        self.sql(f"copy (select id, name, client_id from test.projects) to '{DUMPED}' with csv")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


class Gateway:
    def __init__(self, folder, port):
        binary = pathlib.Path(os.environ.get("TRUSTSTREAM_BIN", ROOT / "target/release/truststream"))
        (folder / "truststream.toml").write_text(CONFIGURATION.format(port=port, user="postgres"))
        self.log = open(folder / "gateway.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [binary, "dev", "--project", folder, "--port", "0", "--json"], stdout=subprocess.PIPE, stderr=self.log
        )
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            sys.exit(f"the gateway did not start:\n{self.log.read()[-4000:]}")
        self.url = json.loads(line)["api_url"]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-least", type=float, default=90, help="percent of the base cases that must pass")
    options, others = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        project = folder / "project"
        project.mkdir()
        postgres = Postgres(folder)
        try:
            postgres.restore()
            gateway = Gateway(project, postgres.port)
            try:
                run = [sys.executable, HERE / "run.py", f"{gateway.url}/rest/v1", "--base-only", *others]
                done = subprocess.run(run, stdout=subprocess.PIPE, text=True)
            finally:
                gateway.stop()
        finally:
            postgres.stop()
    print(done.stdout, end="")
    passed, failed = map(int, re.search(r"^(\d+) passed, (\d+) failed$", done.stdout, re.M).groups())
    share = 100 * passed / max(passed + failed, 1)
    print(f"{share:.1f} % of the base cases, {options.at_least:.0f} % wanted")
    return 0 if share >= options.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
