use truststream_services::database::{Catalog, Introspection};

use super::*;
use crate::schema;

fn of(sql: &str) -> Introspection {
    let mut catalog = Catalog::default();
    apply(&mut catalog, sql);
    Introspection { catalog, ..Introspection::default() }
}

fn apply(catalog: &mut Catalog, sql: &str) {
    for statement in schema::parse(sql).unwrap() {
        schema::apply(catalog, &statement).unwrap_or_else(|error| panic!("{}: {error}", statement.text));
    }
}

fn script(changes: &[Change]) -> String {
    changes.iter().map(|change| format!("{};\n", change.sql)).collect()
}

const BEFORE: &str = "
create type mood as enum ('calm', 'wild');
create table artists (id serial primary key, name text not null, mood mood default 'calm');
create table tracks (id bigint generated always as identity primary key, title text, artist_id integer references artists, plays integer);
create index tracks_title on tracks (title);
create view titles as select id, title from tracks;
create materialized view kept_titles as select id, title from tracks;
comment on materialized view kept_titles is 'as of last night';
alter table tracks enable row level security;
create policy \"all see\" on tracks for select using (true);
grant select on tracks to anon;
create table old (id integer primary key);
";

const AFTER: &str = "
create type mood as enum ('calm', 'loud', 'wild');
create table labels (id uuid primary key default gen_random_uuid(), name text unique check (length(name) > 0));
create table artists (id serial primary key, name text, mood mood default 'wild', label_id uuid references labels);
create table tracks (id bigint generated always as identity primary key, title text, artist_id integer references artists on delete cascade);
create index tracks_title on tracks (lower(title));
create view titles as select id, title from tracks;
alter table tracks enable row level security;
create policy \"all see\" on tracks for select using (title is not null);
grant insert on tracks to anon;
comment on table tracks is 'it''s music';
";

#[test]
fn a_difference_brings_one_schema_to_the_other_and_back() {
    for (one, other) in [(BEFORE, AFTER), ("", AFTER), (BEFORE, "")] {
        let (from, to) = (of(one), of(other));
        let changes = diff(&from, &to);
        assert!(!changes.is_empty());
        let mut reached = from.clone();
        apply(&mut reached.catalog, &script(&changes));
        assert_eq!(diff(&reached, &to), [], "after\n{}", script(&changes));
    }
}

#[test]
fn what_is_lost_is_marked() {
    let lost: Vec<_> =
        diff(&of(BEFORE), &of(AFTER)).into_iter().filter_map(|change| change.destroys).collect();
    assert_eq!(lost, ["all rows of public.old", "the values of public.tracks.plays"]);
}

#[test]
fn the_same_schema_written_otherwise_has_no_difference() {
    let apart =
        "create table t (id integer); alter table t add primary key (id); alter table t add column b text;";
    let together = "create table public.t (id int4 constraint t_pkey primary key, b text)";
    assert_eq!(diff(&of(apart), &of(together)), []);
}

#[test]
fn renames_are_not_guessed() {
    let changes = diff(&of("create table t (a text)"), &of("create table t (b text)"));
    assert_eq!(
        script(&changes),
        "alter table public.t drop column a;\nalter table public.t add column b text;\n"
    );
}

#[test]
fn partitions_come_and_go() {
    let table =
        "create table t (a int) partition by list (a); create table one partition of t for values in (1);";
    let more = format!("{table} create table others partition of t default;");
    assert_eq!(
        script(&diff(&of(table), &of(&more))),
        "create table public.others partition of public.t default;\n"
    );
    let changes = diff(&of(&more), &of(table));
    assert_eq!(script(&changes), "drop table public.others;\n");
    assert_eq!(changes[0].destroys.as_deref(), Some("all rows of public.others"));
    let gone = diff(&of(&more), &of(""));
    assert_eq!(script(&gone), "drop table public.t;\n");
}

#[test]
fn a_partition_that_is_made_anew_is_made_with_its_parts() {
    let divided = |values: &str| {
        of(&format!(
            "create table t (a int, b int) partition by list (a);
            create table one partition of t for values in ({values}) partition by list (b);
            create table two partition of one default;
            grant select on two to anon;"
        ))
    };
    assert_eq!(
        script(&diff(&divided("1"), &divided("2"))),
        "drop table public.two;\n\
         drop table public.one;\n\
         create table public.one partition of public.t for values in ('2') partition by list (b);\n\
         create table public.two partition of public.one default;\n\
         grant select on public.two to anon;\n"
    );
}

#[test]
fn rules_of_a_partition_alone_come_after_it() {
    let table = "create table t (a int) partition by list (a);";
    let one = "create table one partition of t for values in (1);";
    let rules = "alter table one add constraint few check (a < 9); create policy mine on one using (a > 0);";
    let rule = "create policy mine on public.one\n  for all\n  using (a > 0);\n\
         alter table public.one add constraint few check (a < 9);\n";
    let (bare, ruled) = (of(&format!("{table} {one}")), of(&format!("{table} {one} {rules}")));
    assert_eq!(script(&diff(&bare, &ruled)), rule);
    let made = "create table public.one partition of public.t for values in ('1');\n";
    assert_eq!(script(&diff(&of(table), &ruled)), format!("{made}{rule}"));
    assert_eq!(
        script(&diff(&ruled, &bare)),
        "alter table public.one drop constraint few;\ndrop policy mine on public.one;\n"
    );
}
