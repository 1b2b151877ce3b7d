"""The dump as statements of one kind each, which an engine can take or refuse one by one."""
import pathlib
import re
import subprocess

DUMP = pathlib.Path(__file__).with_name("database.dump")
NOISE = re.compile(
    r"(SET |SELECT pg_catalog\.|ALTER .* OWNER TO |COMMENT ON EXTENSION|ALTER SEQUENCE|GRANT .* ON SEQUENCE|"
    r"CREATE EXTENSION|GRANT USAGE ON SCHEMA|REVOKE USAGE ON SCHEMA)"
)
TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$|--[^\n]*|;", re.S)
SERIAL = re.compile(r"ALTER TABLE ONLY (\S+) ALTER COLUMN (\S+) SET DEFAULT nextval\('([^']+)'::regclass\)")
IDENTITY = re.compile(r"ALTER TABLE (\S+) ALTER COLUMN (\S+) ADD GENERATED (BY DEFAULT|ALWAYS) AS IDENTITY", re.S)
ATTACHED = re.compile(r"ALTER TABLE ONLY (\S+) ATTACH PARTITION (\S+)")
COPY = re.compile(r"COPY (.*?) \((.*)\) FROM stdin;$")
ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def plain(pg_restore):
    """The dump as SQL, as PostgreSQL's own program writes it."""
    done = subprocess.run([pg_restore, "-f", "-", DUMP], capture_output=True, text=True, check=True)
    return done.stdout


def split(sql):
    """Statements at their semicolons; `begin atomic` bodies stay whole."""
    start, out = 0, []
    for token in TOKEN.finditer(sql):
        if token.group() != ";":
            continue
        text = sql[start : token.end()]
        if re.search(r"\bBEGIN ATOMIC\b", text) and not re.search(r"\bEND;$", text):
            continue
        out.append(text[:-1])
        start = token.end()
    return out


def without_comments(text):
    return "\n".join(line for line in text.split("\n") if not line.startswith("--")).strip()


def value(field):
    if field == "\\N":
        return "null"
    text = re.sub(r"\\(.)", lambda escaped: ESCAPES.get(escaped[1], escaped[1]), field)
    return "'" + text.replace("'", "''") + "'"


def insert(copy, lines):
    rows = ",\n".join("(" + ", ".join(value(field) for field in line.split("\t")) + ")" for line in lines)
    return f"INSERT INTO {copy[1]} ({copy[2]}) VALUES\n{rows}"


def statements(sql, counters=False):
    """Schema and rows; what only orders a dump or grants what every role has is left out. Where sequences stand is
    told to engines that don't look at the rows for it (`counters`)."""
    pieces, rest, rows, copy = [], [], [], None
    for line in sql.split("\n"):
        if copy and line == "\\.":
            if rows:
                pieces.append(insert(copy, rows))
            copy, rows = None, []
        elif copy:
            rows.append(line)
        elif found := COPY.match(line):
            pieces += split("\n".join(rest))
            copy, rest = found, []
        else:
            rest.append(line)
    pieces += split("\n".join(rest))
    pieces = [text for text in map(without_comments, pieces) if text and (not NOISE.match(text) or (counters and "pg_catalog.setval(" in text))]
    return [unchecked(text) for text in whole(counted(pieces))]


def whole(pieces):
    """Rows go to the table that is divided and its keys are keys of each partition, as pg_dump has it with
    --load-via-partition-root."""
    roots = {found[2]: found[1] for text in pieces if (found := ATTACHED.match(text))}
    out = []
    for text in pieces:
        into, altered = re.match(r"INSERT INTO (\S+) ", text), re.match(r"ALTER TABLE ONLY (\S+)\s", text)
        if into and into[1] in roots:
            text = text.replace(into[1], roots[into[1]], 1)
        if not (altered and altered[1] in roots):
            out.append(text)
    return out


def unchecked(text):
    """Functions may name tables that come later, as the dump sets at its beginning."""
    return f"SET check_function_bodies = false;\n{text}" if text.startswith("CREATE FUNCTION") else text


def counted(pieces):
    """Columns that count say so where they are made, as people write them."""
    serial = {(found[1], found[2]) for text in pieces if (found := SERIAL.match(text))}
    identity = {(found[1], found[2]): found[3] for text in pieces if (found := IDENTITY.match(text))}
    owned = {found[3] for text in pieces if (found := SERIAL.match(text))}
    out = []
    for text in pieces:
        if SERIAL.match(text) or IDENTITY.match(text):
            continue
        if (made := re.match(r"CREATE SEQUENCE (\S+)", text)) and made[1] in owned:
            continue
        if made := re.match(r"CREATE TABLE (\S+) \(", text):
            for table, column in serial:
                if table == made[1]:
                    types = {"integer": "serial", "bigint": "bigserial", "smallint": "smallserial"}
                    swap = lambda found: f"{found[1]}{types[found[2]]} NOT NULL"
                    text = re.sub(rf"(\n    {re.escape(column)} )(integer|bigint|smallint) NOT NULL", swap, text)
            for (table, column), how in identity.items():
                if table == made[1]:
                    found = re.search(rf"\n    {re.escape(column)} \w+ NOT NULL", text)
                    text = text.replace(found[0], f"{found[0]} GENERATED {how} AS IDENTITY")
        out.append(text)
    return out
