//! Migrations to catalogs.

use truststream_services::database::{Catalog, Identity, PolicyCommand, ReferentialAction, TableName};

use super::*;

fn catalog(sql: &str) -> Catalog {
    let mut catalog = Catalog::default();
    for statement in parse(sql).unwrap() {
        apply(&mut catalog, &statement).unwrap_or_else(|error| panic!("{}: {error:?}", statement.text));
    }
    catalog
}

fn fails(sql: &str) -> (String, String) {
    let mut catalog = Catalog::default();
    let errors =
        parse(sql).unwrap().into_iter().filter_map(|statement| apply(&mut catalog, &statement).err());
    let error = errors.last().unwrap();
    (error.code().to_owned(), error.message().to_owned())
}

#[test]
fn constraints_have_the_names_postgres_gives() {
    let catalog = catalog(
        "create type mood as enum ('sad', 'ok');
         create table artists (id bigint generated always as identity primary key, name text not null unique,
           feels mood default 'ok', n int check (n > 0), check (n < 10), check (n > id));
         create table tracks (id serial, artist_id bigint not null references artists on delete cascade,
           a int, b int, primary key (id), unique (a, b), constraint own check (a <> b));",
    );
    let artists = catalog.table(&TableName::public("artists")).unwrap();
    let checks: Vec<_> = artists.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(checks, ["artists_n_check", "artists_n_check1", "artists_check"]);
    assert_eq!(artists.unique_keys[0].name, "artists_name_key");
    assert_eq!(artists.columns[0].identity, Some(Identity::Always));
    assert_eq!(artists.columns[2].ty, truststream_kernel::Type::Enum("mood".into()));
    let tracks = catalog.table(&TableName::public("tracks")).unwrap();
    assert_eq!(tracks.foreign_keys[0].name, "tracks_artist_id_fkey");
    assert_eq!(tracks.foreign_keys[0].referenced_columns, ["id"]);
    assert_eq!(tracks.foreign_keys[0].on_delete, ReferentialAction::Cascade);
    assert_eq!(tracks.unique_keys[0].name, "tracks_a_b_key");
    assert_eq!(tracks.columns[0].default.as_deref(), Some("nextval('tracks_id_seq'::regclass)"));
    assert_eq!(tracks.primary_key, ["id"]);
}

#[test]
fn tables_change_as_told() {
    let catalog = catalog(
        "create table a (id int primary key, x text, y varchar(5));
         alter table a add column if not exists z timestamptz default now(), drop column x;
         alter table only a alter column y type text, alter y set not null, alter y set default 'q';
         alter table a rename column y to w; alter table a rename to b;
         create index on b (w desc, lower(w)); create unique index if not exists named on b (w) where w > 'a';
         alter table b enable row level security; alter table b replica identity full;
         alter publication supabase_realtime add table b; alter table b owner to postgres;
         comment on column b.w is 'it''s w'; set search_path = public;
         alter default privileges in schema public grant all on tables to anon;
         select set_config('a', 'b', false);
         create policy \"Own rows\" on b as restrictive for update to authenticated using (id = 1) with check (true);
         alter policy \"Own rows\" on b to public;
         grant select (id), update on b to anon; revoke all on all tables in schema public from public;",
    );
    let table = catalog.table(&TableName::public("b")).unwrap();
    let columns: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["id", "w", "z"]);
    let w = table.column("w").unwrap();
    assert_eq!((w.type_name.as_str(), w.nullable, w.default.as_deref()), ("text", false, Some("'q'")));
    assert_eq!(w.comment.as_deref(), Some("it's w"));
    assert!(table.row_security);
    let indexes: Vec<_> = table.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!(indexes, ["b_w_lower_idx", "named"]);
    let policy = &table.policies[0];
    assert_eq!((policy.permissive, policy.command), (false, PolicyCommand::Update));
    assert!(policy.roles.is_empty());
    assert_eq!(table.grants.len(), 3);
    assert_eq!((table.grants[2].role.as_str(), table.grants[2].revoke), ("public", true));
}

#[test]
fn rights_to_functions_are_told_by_types_as_dumps_name_them() {
    let catalog = catalog(
        "create function f(a int, \"b\" \"text\" default 'x', out c int) language sql as 'select 1';
         create function f(a date) returns int language sql as 'select 1';
         revoke all on function f(a int, b text, out c int) from public;
         grant all on function \"public\".\"f\"(\"a\" integer, \"b\" \"text\") to anon, public;
         grant execute on function f(date) to anon;",
    );
    let rights = |at: usize| -> Vec<(&str, bool)> {
        catalog.functions[at].grants.iter().map(|grant| (grant.role.as_str(), grant.revoke)).collect()
    };
    assert_eq!(rights(0), [("public", true), ("anon", false), ("public", false)]);
    assert_eq!(rights(1), [("anon", false)]);
}

#[test]
fn faults_have_postgres_codes() {
    let cases = [
        ("create table a (id int); create table a (id int)", "42P07", "relation \"a\" already exists"),
        ("alter table nope add x int", "42P01", "relation \"nope\" does not exist"),
        ("create table a (id int references b)", "42P01", "relation \"b\" does not exist"),
        ("create table a (id int, id int)", "42701", "column \"id\" of relation \"a\" already exists"),
        (
            "create table a (id int, primary key (x))",
            "42703",
            "column \"x\" of relation \"a\" does not exist",
        ),
        (
            "create table a (x int); create table b (x int references a (x))",
            "42830",
            "there is no unique constraint matching given keys for referenced table \"a\"",
        ),
        ("create policy p on a using (true)", "42P01", "relation \"a\" does not exist"),
        ("drop table a", "42P01", "table \"a\" does not exist"),
        (
            "do $$ begin for i in 1..2 loop null; end loop; end $$",
            "0A000",
            "a block with \"for\" runs on PostgreSQL only: write its statements one by one",
        ),
    ];
    for (sql, code, message) in cases {
        assert_eq!(fails(sql), (code.to_owned(), message.to_owned()), "{sql}");
    }
}

#[test]
fn identities_are_read_as_dumps_write_them() {
    let catalog = catalog(
        "create table a (id bigint not null, n int);
         alter table a alter column id add generated always as identity (
           sequence name public.a_id_seq start with 1 increment by 1 no minvalue no maxvalue cache 1);
         create sequence public.a_n_seq as integer start with 1 increment by 1 cache 1;
         alter sequence public.a_n_seq owned by public.a.n;
         alter table only public.a alter column n set default nextval('public.a_n_seq'::regclass);",
    );
    let table = catalog.table(&TableName::public("a")).unwrap();
    let identities: Vec<_> = table.columns.iter().map(|column| column.identity).collect();
    assert_eq!(identities, [Some(Identity::Always), Some(Identity::Serial)]);
    let from = "create table a (id int generated always as identity (start with 100 increment by 5))";
    let mut other = Catalog::default();
    apply(&mut other, &parse(from).unwrap()[0]).unwrap();
    let counted: Vec<_> = other.sequences.values().map(|one| (one.start, one.increment)).collect();
    assert_eq!(counted, [(100, 5)]);
}

#[test]
fn a_column_takes_what_names_it_along() {
    let catalog = catalog(
        "create table a (n int check (n > 0), s text, m int generated always as (n + 1) stored);
         create index i on a (n desc, lower(s)) where n > 1;
         create policy p on a using (a.n > 1 and s <> 'n');
         grant select (n) on a to anon; alter table a rename column n to \"New\";",
    );
    let table = catalog.table(&TableName::public("a")).unwrap();
    assert_eq!(table.checks[0].expression, "\"New\" > 0");
    assert_eq!(table.columns[2].generated.as_deref(), Some("\"New\" + 1"));
    assert_eq!(table.indexes[0].terms, ["\"New\" DESC", "lower(s)"]);
    assert_eq!(table.indexes[0].predicate.as_deref(), Some("\"New\" > 1"));
    assert_eq!(table.policies[0].using.as_deref(), Some("a.\"New\" > 1 AND s <> 'n'"));
    assert_eq!(table.grants[0].columns, ["New"]);
}

#[test]
fn a_partition_has_its_name_to_itself() {
    let divided =
        "create table t (id int) partition by list (id); create table p partition of t for values in (1);";
    let kept = catalog(&format!("{divided} create table if not exists p (other text);"));
    let (table, _, partition) = kept.relation(&TableName::public("p")).unwrap();
    assert_eq!((table, partition.map(|one| one.name.name.as_str())), (&TableName::public("t"), Some("p")));
    let (code, message) = fails(&format!("{divided} create table p (other text);"));
    assert_eq!((code.as_str(), message.as_str()), ("42P07", "relation \"p\" already exists"));
}

#[test]
fn what_checks_each_request_is_refused() {
    let (code, message) = fails("alter database app set pgrst.db_pre_request = 'public.check_request';");
    assert_eq!((&*code, &*message), ("0A000", UNCHECKED));
    assert_eq!(fails("alter role authenticator set pgrst.db_pre_request to 'check_request';").0, "0A000");
    catalog(
        "alter database app reset pgrst.db_pre_request; alter database app set pgrst.db_schemas = 'public';",
    );
}
