#!/usr/bin/env python3
"""Replays PostgREST's own cases against the binary on a database of this run's own.

usage: replay.py [--backend postgres|sqlite|mongodb] [--at-least CASES] [--base-only] [arguments of run.py …]

TRUSTSTREAM_BIN names the binary (default: target/release/truststream), POSTGRES_BIN the folder of
PostgreSQL's programs. On PostgreSQL, PostGIS must be installed (postgresql-15-postgis-3). SQLite and MongoDB
(SecantusDB, which `cargo xtask setup` installs) get what of the dump they can hold; TRUSTSTREAM_HOST names the
program that brings it in (default: cargo runs the example host of truststream-conformance) and what it refuses is
printed. The exit status is 0 when at least so many of the cases that run under the base configuration passed;
--base-only runs no others.
"""
import argparse
import collections
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

import configurations
import dump

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.append(str(HERE.parent))
from ports import free_port  # noqa: E402 (beside the folders of the tests)

# Cases that passed when this was written, under the base configuration and under all others.
FLOORS = {
    "postgres": {"base": 589, "other": 70},
    "sqlite": {"base": 550, "other": 55},
    "mongodb": {"base": 545, "other": 54},
}
# How long a server may take to start or to end on a busy machine, in seconds.
PATIENCE = 120
COUNTS = r"^(\d+) passed, (\d+) failed, (\d+) of them refused in words$"
ROLES = """
create role "Postgrest_Test_Authenticator" login noinherit;
create role postgrest_test_anonymous; create role postgrest_test_default_role; create role postgrest_test_author;
create role postgrest_test_superuser superuser;
grant postgrest_test_anonymous, postgrest_test_default_role, postgrest_test_author, postgrest_test_superuser
  to "Postgrest_Test_Authenticator";
alter database postgres set request.jwt.claim.id = '-1';
"""
# What a dump doesn't bring: a view that reads itself, and what the planner knows of the tables. PostgREST's suite
# makes keys before rows, so that the planner knows nothing; restoring a dump makes them after and counts the rows.
LEFT_OUT = """
drop view if exists test.infinite_recursion;
create view test.infinite_recursion as select * from test.projects;
create or replace view test.infinite_recursion as select * from test.infinite_recursion;
grant select on test.infinite_recursion to postgrest_test_anonymous;
update pg_class set reltuples = -1, relpages = 0
where relkind in ('r', 'p', 'm') and relnamespace in (select oid from pg_namespace where nspname !~ '^(pg_|information_schema)');
analyze test.items, test.child_entities;
"""
def postgres_settings(port):
    return {
        "provider": "postgres",
        "url": f"postgresql://postgres@127.0.0.1:{port}/postgres",
        "extra_search_path": [],
        "pre_request": "test.switch_role",
        "bootstrap": False,
        "estimate_above": 0,
        "app_settings": {"app.settings.app_host": "localhost", "app.settings.external_api_secret": "0123456789abcdef"},
    }


SQLITE = {"provider": "sqlite", "path": "data.db"}


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


class Postgres:
    def __init__(self, folder):
        self.bin, self.port, self.folder, data = programs(), free_port(), folder, folder / "data"
        data.mkdir()
        if os.geteuid() == 0:
            subprocess.run(["chown", "postgres", folder, data], check=True)
        quiet = {"stdout": subprocess.DEVNULL, "cwd": "/tmp", "check": True}
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(as_postgres(self.bin / "initdb", "-D", data, *options), **quiet)
        settings = ["-c", "fsync=off", "-c", "timezone=UTC", "-c", "autovacuum=off", "-c", "max_wal_size=128MB", "-k", folder, "-p", str(self.port)]
        self.process = subprocess.Popen(
            as_postgres(self.bin / "postgres", "-D", data, *settings), stderr=subprocess.DEVNULL, cwd="/tmp"
        )
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
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
        self.sql(LEFT_OUT)
        # The foreign table names a file that others may have as well.
        dumped = self.folder / "projects_dump.csv"
        self.sql(f"copy (select id, name, client_id from test.projects) to '{dumped}' with csv")
        self.sql(f"alter foreign table test.projects_dump options (set filename '{dumped}')")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)


class Gateway:
    def __init__(self, folder, database, change):
        binary = pathlib.Path(os.environ.get("TRUSTSTREAM_BIN", ROOT / "target/release/truststream"))
        (folder / "truststream.toml").write_text(configurations.toml(database, change))
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
        self.process.wait(PATIENCE)


def replay(folder, database, others):
    """The reports of run.py against gateways on this database: of the base cases, and of the cases of each
    other configuration."""
    yield "base", one_configuration(folder, database, {}, ["--base-only", *others])
    if "--base-only" in others:
        return
    lines = (HERE / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    for config in sorted({json.loads(line)["config"] for line in lines} - {""}):
        change = configurations.changes(config)
        if database["provider"] != "postgres":
            # Settings of the database that only PostgreSQL has.
            change = {section: values for section, values in change.items() if section != "backend.main.database"}
        yield config, one_configuration(folder, database, change, ["--config", config, *others])


def one_configuration(folder, database, change, arguments):
    gateway = Gateway(folder, database, change)
    try:
        run = [sys.executable, HERE / "run.py", f"{gateway.url}/rest/v1", *arguments]
        return subprocess.run(run, stdout=subprocess.PIPE, text=True).stdout
    finally:
        gateway.stop()


def on_postgres(folder, project, others):
    postgres = Postgres(folder)
    try:
        postgres.restore()
        yield from replay(project, postgres_settings(postgres.port), others)
    finally:
        postgres.stop()


class Mongo:
    def __init__(self, folder):
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
        program, port = cache / "truststream/secantusdb/bin/secantusd-py", free_port()
        if not program.exists():
            sys.exit(f"{program} is missing: cargo xtask setup installs it")
        where = ["--host", "127.0.0.1", "--port", str(port), "--storage-path", folder / "data", "--log-level", "ERROR"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        self.process = subprocess.Popen([program, *where], **quiet)
        self.url = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        sys.exit("SecantusDB did not start")

    def stop(self):
        self.process.kill()
        self.process.wait()


def host(database):
    """Brings into a database what of the dump its engine can hold."""
    example = ["cargo", "run", "--quiet", "--locked", "--package", "truststream-conformance", "--example", "host", "--"]
    program = [os.environ["TRUSTSTREAM_HOST"]] if "TRUSTSTREAM_HOST" in os.environ else example
    plain = dump.plain(programs() / "pg_restore")
    statements = json.dumps(dump.statements(plain, counters=str(database).startswith("mongodb:")))
    done = subprocess.run([*program, database], cwd=ROOT, input=statements, stdout=subprocess.PIPE, text=True, check=True)
    print(done.stdout, end="", flush=True)


def on_sqlite(_, project, others):
    host(project / "data.db")
    yield from replay(project, SQLITE, others)


def on_mongodb(folder, project, others):
    mongo = Mongo(folder)
    try:
        host(mongo.url)
        yield from replay(project, {"provider": "mongodb", "url": mongo.url}, others)
    finally:
        mongo.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=["postgres", "sqlite", "mongodb"], default="postgres")
    parser.add_argument("--at-least", type=int, help="base cases that must pass")
    options, others = parser.parse_known_args()
    wanted = FLOORS[options.backend]
    if options.at_least is not None:
        wanted = {**wanted, "base": options.at_least}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        project = folder / "project"
        project.mkdir()
        backend = {"postgres": on_postgres, "sqlite": on_sqlite, "mongodb": on_mongodb}[options.backend]
        counts = collections.defaultdict(lambda: [0, 0, 0])
        for config, report in backend(folder, project, others):
            print(f"== {config}\n{report}", end="", flush=True)
            for place, count in enumerate(re.search(COUNTS, report, re.M).groups()):
                counts["base" if config == "base" else "other"][place] += int(count)
    enough = True
    for kind, (passed, failed, refused) in counts.items():
        print(f"{options.backend}: {passed} of {passed + failed} {kind} cases, {wanted[kind]} wanted; {refused} refused in words")
        enough &= passed >= wanted[kind]
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
