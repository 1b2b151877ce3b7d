//! Random schemas: tables that refer to one another, columns of all types, policies, rows.

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

/// A type with values near one another, as JSON for rows and as literals for filters.
#[derive(Debug)]
pub struct Kind {
    /// As the schema writes it.
    pub sql: &'static str,
    /// As rows hold it.
    pub values: &'static [&'static str],
    /// As filters compare with it; some are wrong on purpose.
    pub literals: &'static [&'static str],
    /// Which operators it has besides those that compare.
    pub family: Family,
}

/// Which operators a type has besides those that compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Family {
    Plain,
    Number,
    Text,
    Bool,
    Array,
    Range,
    Json,
    Search,
}

impl Kind {
    /// The literals that are none of those wrong on purpose.
    pub fn right(&self) -> Vec<&'static str> {
        const WRONG: &[&str] = &["x", "u", "bored", "{", "[5", "2.254"];
        let text = self.family == Family::Text;
        self.literals.iter().copied().filter(|literal| text || !WRONG.contains(literal)).collect()
    }
}

macro_rules! kinds {
    ($($sql:literal $family:ident $values:expr, $literals:expr;)*) => {
        &[$(Kind { sql: $sql, values: &$values, literals: &$literals, family: Family::$family }),*]
    };
}

/// All types that are tried. Values of `real` are those that a decimal says exactly: of others PostgreSQL
/// reckons with the nearest binary one, and the others with what is shown.
pub const KINDS: &[Kind] = kinds! {
    "integer" Number ["0", "1", "-3", "7"], ["0", "7", "-3", "x"];
    "smallint" Number ["0", "-5", "32767"], ["0", "32767", "-6"];
    "real" Number ["0.25", "-1.5", "2"], ["0.25", "2"];
    "bigint" Number ["9007199254740993", "1", "-1"], ["9007199254740992", "1"];
    "numeric" Number ["1.50", "1.5", "-2", "12345678901234567890.1"], ["1.5", "1e3", "NaN"];
    "numeric(8,2)" Number ["1.50", "2.25", "-0.10"], ["1.5", "2.254", "0"];
    "double precision" Number ["0.1", "-1.5", "2", "1e100"], ["0.1", "2", "-0"];
    "text" Text ["\"\"", "\"a\"", "\"Ab\"", "\"a b\"", "\"é\"", "\"10\"", "\"fat rats\""], ["a", "Ab", "%a%", "^a", "b$", "", "[[:digit:]]+"];
    "varchar(9)" Text ["\"x\"", "\"fat cat\"", "\"B\""], ["x", "B", "%c%", "x|B"];
    "char(5)" Text ["\"a\"", "\"ab \"", "\"B\""], ["a", "ab", "a  ", "%a%", "b *$"];
    "bytea" Plain ["\"\\\\x00ff\"", "\"\\\\x\"", "\"abc\""], ["\\x00ff", "abc"];
    "boolean" Bool ["true", "false"], ["true", "f"];
    "date" Plain ["\"2024-01-02\"", "\"0044-03-15 BC\"", "\"infinity\"", "\"12024-01-01\"", "\"-infinity\""], ["2024-01-02", "0044-03-15", "infinity"];
    "timestamptz" Plain ["\"2024-01-01T00:00:00Z\"", "\"2024-01-03T10:00:00.5Z\"", "\"infinity\""], ["2024-01-01", "-infinity"];
    "timestamp" Plain ["\"2024-01-01T00:00:00\"", "\"0001-01-01 00:00:00 BC\""], ["2024-01-01", "0001-01-01 BC"];
    "time" Plain ["\"00:00\"", "\"12:30:00.5\"", "\"24:00:00\""], ["12:30", "24:00"];
    "interval" Plain ["\"1 day\"", "\"24:00:00\"", "\"1 mon\"", "\"-3 days\""], ["1 day", "30 days"];
    "uuid" Plain ["\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"", "\"b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\""], ["A0EEBC999C0B4EF8BB6D6BB9BD380A11", "u"];
    "mood" Plain ["\"sad\"", "\"ok\"", "\"happy\""], ["ok", "sad", "bored"];
    "jsonb" Json ["{\"a\":1,\"b\":[1,2]}", "{\"a\":\"x\"}", "[1,\"x\",null]", "1.0", "{}"], ["{\"a\":1}", "[1]", "1", "{"];
    "json" Json ["{\"a\":1,\"b\":[1,2]}", "{\"a\":\"x\"}", "[1,\"x\",null]", "1.0"], ["{\"a\":1}", "[1]", "1", "{"];
    "bigint[]" Array ["[]", "[9007199254740993]", "[1,2]"], ["{}", "{1}", "{2,1}"];
    "timestamptz[]" Array ["[\"2024-01-01T00:00:00Z\"]", "[null,\"infinity\"]"], ["{2024-01-01}", "{infinity}"];
    "daterange" Range ["\"[2024-01-01,2024-02-01)\"", "\"(,2024-01-05]\"", "\"empty\""], ["[2024-01-15,2024-01-16]", "[2024-01-05,2024-01-06)"];
    "int[]" Array ["[]", "[1,2]", "[2,1]", "[null]", "[[1,2],[3,4]]"], ["{}", "{1}", "{1,2}", "{2,NULL}", "{{1,2},{3,4}}", "1"];
    "text[]" Array ["[]", "[\"a\"]", "[\"a\",\"b\"]", "[\"x y\",null]"], ["{}", "{a}", "{b,a}", "{\"x y\"}"];
    "numeric[]" Array ["[1.50]", "[1.5,2]", "[10]"], ["{1.5}", "{2,1.50}"];
    "date[]" Array ["[\"2024-01-02\"]", "[\"infinity\",\"2024-01-02\"]", "[]"], ["{2024-01-02}", "{infinity}"];
    "mood[]" Array ["[\"sad\"]", "[\"ok\",\"sad\"]", "[\"happy\"]"], ["{sad}", "{ok}"];
    "int4range" Range ["\"[1,5]\"", "\"(1,2)\"", "\"[5,)\"", "\"(,3]\"", "\"[6,9)\""], ["[1,5]", "empty", "[6,6]", "(,)", "[5"];
    "numrange" Range ["\"[1.5,2]\"", "\"(2,3)\"", "\"empty\""], ["[1.50,2]", "[2,3]"];
    "tstzrange" Range ["\"[2024-01-01,2024-02-01)\"", "\"[2024-02-01,)\""], ["[2024-01-15,2024-01-16]", "[2024-02-01,infinity]"];
    "tsvector" Search ["\"'fat':1 'rat':2\"", "\"'cat':3A 'fat':2B\"", "\"\"", "\"'zebra'\"", "\"'fat':1,3 'x':2\"", "\"'fat' 'rat'\"", "\"'fat':3A\""], ["fat & rat", "fat <-> rat", "cat | dog", "!fat", "ca:*"];
};

/// The view there is.
pub const VIEW: &str = "red_children";

/// Names that must be quoted, and plain ones.
const NAMES: &[&str] = &["v", "select", "Upper", "two words", "naïve", "w", "order_", "x1"];

/// Conditions that policies may have; `team` and `owner` are columns of every table.
const CONDITIONS: &[&str] = &[
    "true",
    "false",
    "owner = auth.uid()",
    "team = (auth.jwt() ->> 'team')",
    "owner = auth.uid() or team = 'red'",
    "id % 2 = 0",
    "auth.role() = 'authenticated'",
    "exists (select 1 from members m where m.uid = auth.uid())",
    "team in (select m.team from members m where m.uid = auth.uid())",
    "team = (select max(m.team) from members m where m.uid = auth.uid())",
    "team = current_setting('request.jwt.claims', true)::json ->> 'team'",
    "is_red(team)",
];

/// What policies call.
const CALLED: &str = "create function is_red(team text) returns boolean language sql immutable as $$ select team = 'red' $$;\n";

/// What is computed of the rows of some tables, and a view of one.
const FUNCTIONS: &str = "
create unique index one_heavy on tags (team) where weight = 7;
create function caption(children) returns text language sql stable as $$
  select coalesce($1.team, '-') || ':' || $1.id
$$;
create function place(child children) returns int language sql stable as $$
  select count(*)::int from children c where c.team = (child).team and c.id <= (child).id
$$;
create function siblings(children) returns setof children language sql stable as $$
  select c.* from children c where c.parent_id = $1.parent_id and c.id <> $1.id
$$;
create function guardian(children) returns setof parents language sql stable rows 1 as $$
  select * from parents where id = coalesce($1.other_id, $1.parent_id)
$$;
create view red_children with (security_invoker = on) as
  select id, parent_id, team, owner, upper(team) as loud from children where team = 'red';
grant select, insert, update, delete on red_children to anon, authenticated;
";

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: &'static Kind,
}

impl Column {
    /// A column of a type by its name in SQL.
    pub fn of(name: &str, sql: &str) -> Self {
        let kind = KINDS.iter().find(|kind| kind.sql == sql).unwrap();
        Column { name: name.to_owned(), kind }
    }
}

/// A table, how it is protected and what is in it.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its random columns.
    pub columns: Vec<Column>,
    /// Whether policies protect it, and which.
    policies: Option<Vec<Policy>>,
    rows: Vec<String>,
}

/// A policy of a table.
#[derive(Clone, Copy, Debug)]
struct Policy {
    permissive: bool,
    command: &'static str,
    role: &'static str,
    using: &'static str,
    /// What new rows must be, where that is not what seen ones are.
    check: Option<&'static str>,
}

impl Policy {
    fn sql(self, table: &str, number: usize) -> String {
        let condition = |condition: &str| match table {
            // What the junction has no id for, it has a tag for.
            "children_tags" => condition.replace("id % 2", "tag_id % 2"),
            // A policy of the table that policies read would read itself.
            "members" if condition.contains("members") => "true".to_owned(),
            _ => condition.to_owned(),
        };
        let kind = if self.permissive { "permissive" } else { "restrictive" };
        let (reads, writes) = match self.command {
            "insert" => (None, Some(self.check.unwrap_or(self.using))),
            "update" | "all" => (Some(self.using), self.check),
            _ => (Some(self.using), None),
        };
        let using = reads.map_or_else(String::new, |using| format!(" using ({})", condition(using)));
        let check = writes.map_or_else(String::new, |check| format!(" with check ({})", condition(check)));
        let (command, role) = (self.command, self.role);
        format!("create policy p{number} on {table} as {kind} for {command} to {role}{using}{check};\n")
    }
}

/// A database.
#[derive(Clone, Debug)]
pub struct World {
    /// Its tables.
    pub tables: Vec<Table>,
    /// Whether it has functions and views.
    pub functions: bool,
}

/// The tables there are and what ties each to others.
pub const TABLES: &[(&str, &str)] = &[
    ("members", ""),
    ("parents", "boss_id int references parents(id),"),
    (
        "children",
        "parent_id int references parents(id) on delete set null, other_id int references parents(id),",
    ),
    ("grandchildren", "child_id int not null references children(id) on delete cascade,"),
    (
        "tags",
        "kind text generated always as (upper(team)) stored, weight int not null default 3 check (weight < 10),",
    ),
    (
        "children_tags",
        "child_id int references children(id) on delete cascade, tag_id int references tags(id),",
    ),
];

/// Who rows may belong to.
pub const USERS: [&str; 2] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];

/// What of all this an engine has.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Whether it has functions and views.
    pub functions: bool,
}

impl Scope {
    fn condition(self) -> impl Strategy<Value = &'static str> + use<> {
        let called = |condition: &&&str| self.functions || !condition.contains("is_red");
        select(CONDITIONS.iter().filter(called).copied().collect::<Vec<_>>())
    }
}

fn policies(scope: Scope) -> impl Strategy<Value = Vec<Policy>> {
    let role = select(&["anon", "authenticated", "public"][..]);
    let command = select(&["select", "select", "insert", "update", "delete", "all", "all"][..]);
    let check = proptest::option::of(scope.condition());
    let policy = (proptest::bool::weighted(0.8), command, role, scope.condition(), check);
    let policy = policy.prop_map(|(permissive, command, role, using, check)| Policy {
        permissive,
        command,
        role,
        using,
        check,
    });
    proptest::collection::vec(policy, 0..6)
}

fn table(at: usize, scope: Scope) -> impl Strategy<Value = Table> {
    let (name, _) = TABLES[at];
    let names = subsequence(NAMES, 2..5);
    // What others refer to has rows enough for them.
    let count = match name {
        "members" => 0..4,
        "parents" | "children" => 4..12,
        "tags" => 2..6,
        "children_tags" => 0..6,
        _ => 0..12,
    };
    let picks = proptest::collection::vec(proptest::collection::vec(any::<Index>(), 12), count);
    (
        names,
        proptest::collection::vec(select(KINDS.iter().collect::<Vec<_>>()), 5),
        proptest::option::of(policies(scope)),
        picks,
    )
        .prop_map(move |(names, kinds, policies, picks)| {
            let columns: Vec<Column> = names
                .iter()
                .zip(&kinds)
                .map(|(name, kind)| Column { name: (*name).to_owned(), kind })
                .collect();
            let rows =
                picks.iter().enumerate().map(|(row, picks)| self::row(at, row, &columns, picks)).collect();
            Table { name, columns, policies, rows }
        })
}

/// A row as a JSON object; what it refers to is there, for tables are filled in order.
fn row(table: usize, row: usize, columns: &[Column], picks: &[Index]) -> String {
    let reference = |pick: &Index, nullable: bool| match pick.index(5) {
        0 if nullable => "null".to_owned(),
        // Rows are numbered from 1, and a reference to a row that is not there is dropped.
        other => format!("{}", other.max(1)),
    };
    let mut members = vec![format!("\"id\":{}", row + 1)];
    match TABLES[table].0 {
        "members" => members.push(format!("\"uid\":\"{}\"", USERS[row % 2])),
        "parents" if row > 0 => members.push(format!("\"boss_id\":{}", 1 + picks[0].index(row + 1))),
        "parents" => members.push("\"boss_id\":null".to_owned()),
        "children" => {
            members.push(format!("\"parent_id\":{}", reference(&picks[0], true)));
            members.push(format!("\"other_id\":{}", reference(&picks[1], true)));
        }
        "grandchildren" => members.push(format!("\"child_id\":{}", reference(&picks[0], false))),
        "children_tags" => {
            members[0] = format!("\"child_id\":{},\"tag_id\":{}", row / 2 + 1, row % 2 + 1);
        }
        _ => {}
    }
    members.push(format!("\"team\":\"{}\"", ["red", "blue"][picks[2].index(2)]));
    members.push(format!("\"owner\":\"{}\"", USERS[picks[3].index(2)]));
    for (column, pick) in columns.iter().zip(&picks[4..]) {
        let values = column.kind.values;
        let value = values.get(pick.index(values.len() + 1)).unwrap_or(&"null");
        members.push(format!("{:?}:{value}", column.name));
    }
    format!("{{{}}}", members.join(","))
}

/// A random database.
pub fn world(scope: Scope) -> impl Strategy<Value = World> {
    let tables: Vec<_> = (0..TABLES.len()).map(|at| table(at, scope).boxed()).collect();
    tables.prop_map(move |mut tables| {
        if scope.functions {
            let columns = vec![Column::of("team", "text"), Column::of("loud", "text")];
            tables.push(Table { name: VIEW, columns, policies: None, rows: Vec::new() });
        }
        World { tables, functions: scope.functions }
    })
}

impl World {
    /// The schema.
    pub fn sql(&self) -> String {
        let mut sql = "create type mood as enum ('sad', 'ok', 'happy');\n".to_owned();
        if self.functions {
            sql.push_str(CALLED);
        }
        for (table, (name, ties)) in self.tables.iter().zip(TABLES) {
            let columns: Vec<String> = table
                .columns
                .iter()
                .map(|column| format!(", {:?} {}", column.name, column.kind.sql))
                .collect();
            let key = match *name {
                "children_tags" => "",
                "members" => "id int primary key, uid uuid,",
                _ => "id int primary key,",
            };
            let junction = if key.is_empty() { ", primary key (child_id, tag_id)" } else { "" };
            let columns = columns.concat();
            sql.push_str(&format!(
                "create table {name} ({key} {ties} team text, owner uuid{columns}{junction});\n"
            ));
            match &table.policies {
                None => sql.push_str(&format!(
                    "grant select, insert, update, delete on {name} to anon, authenticated;\n"
                )),
                Some(policies) => {
                    sql.push_str(&format!("alter table {name} enable row level security;\n"));
                    for (at, policy) in policies.iter().enumerate() {
                        sql.push_str(&policy.sql(name, at));
                    }
                }
            }
        }
        if self.functions {
            sql.push_str(FUNCTIONS);
            for table in &self.tables {
                let name = table.name;
                sql.push_str(&format!(
                    "create function some_{name}() returns setof {name} language sql stable as $$\n  \
                     select * from {name} where team is not null\n$$;\n"
                ));
            }
        }
        sql
    }

    /// The rows of each table that has some, as a JSON array.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        self.tables
            .iter()
            .filter(|table| !table.rows.is_empty())
            .map(|table| (table.name, format!("[{}]", table.rows.join(","))))
    }
}
