//! What policies say of a role, for engines that have none.

use truststream_kernel::Error;
use truststream_services::database::{Policy, PolicyCommand, Table, TableKind, TableName};

/// The policies of a table that concern a role's command.
pub fn policies<'t>(
    table: &'t Table,
    role: &str,
    command: PolicyCommand,
) -> impl Iterator<Item = &'t Policy> {
    concerning(&table.policies, role, command)
}

/// Those of some policies that concern a role's command.
pub fn concerning<'t>(
    policies: &'t [Policy],
    role: &str,
    command: PolicyCommand,
) -> impl Iterator<Item = &'t Policy> {
    policies.iter().filter(move |policy| {
        let mine = policy.roles.is_empty() || policy.roles.iter().any(|one| one == role || one == "public");
        mine && (policy.command == command || policy.command == PolicyCommand::All)
    })
}

/// What policies ask of a row: the permissive ones together, each restrictive one by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand<'p> {
    /// The restrictive policy that asks it.
    pub policy: Option<&'p str>,
    /// Conditions of which one has to hold; `None` holds for every row.
    pub any: Vec<Option<&'p str>>,
}

/// What policies ask of a row by their parts, in the order in which PostgreSQL asks it of new rows.
pub fn demands<'p>(
    policies: impl Iterator<Item = &'p Policy>,
    part: impl Fn(&'p Policy) -> Option<&'p str>,
) -> Vec<Demand<'p>> {
    let (permissive, mut restrictive): (Vec<_>, Vec<_>) = policies.partition(|policy| policy.permissive);
    restrictive.sort_by(|one, other| one.name.cmp(&other.name));
    let together = Demand { policy: None, any: permissive.into_iter().map(&part).collect() };
    let alone = restrictive.into_iter().map(|one| Demand { policy: Some(&one.name), any: vec![part(one)] });
    std::iter::once(together).chain(alone).collect()
}

/// The error of a row that does not meet what is asked of it; `existing` of one that an upsert would change.
pub fn violated(name: &TableName, policy: Option<&str>, existing: bool) -> Error {
    let policy = policy.map_or_else(String::new, |policy| format!(" \"{policy}\""));
    let using = if existing { " (USING expression)" } else { "" };
    Error::permission_denied(format!(
        "new row violates row-level security policy{policy}{using} for table \"{}\"",
        name.name
    ))
}

/// The error of a table or view that is closed to the caller.
pub fn denied(table: &Table, name: &TableName) -> Error {
    let kind = if table.kind == TableKind::Table { "table" } else { "view" };
    Error::permission_denied(format!("permission denied for {kind} {}", name.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(sql: &str) -> Table {
        let mut catalog = truststream_services::database::Catalog::default();
        for statement in crate::schema::parse(sql).unwrap() {
            crate::schema::apply(&mut catalog, &statement).unwrap();
        }
        catalog.tables.shift_remove(&TableName::public("t")).unwrap()
    }

    #[test]
    fn a_table_is_closed_until_it_is_granted_and_open_under_policies() {
        let closed = table("create table t (id int primary key, a text, b text);");
        assert!(!closed.is_granted("anon", PolicyCommand::Select));
        let open = table(
            "create table t (id int primary key, a text, b text);
             grant select on t to public; grant all on t to anon; revoke delete on t from anon;",
        );
        assert!(open.is_granted("authenticated", PolicyCommand::Select));
        assert!(!open.is_granted("authenticated", PolicyCommand::Insert));
        assert!(open.is_granted("anon", PolicyCommand::Insert));
        assert!(!open.is_granted("anon", PolicyCommand::Delete));
        let judged = table(
            "create table t (id int primary key); alter table t enable row level security;
             create policy mine on t for update to anon using (true);
             create policy all_of_us on t using (true);",
        );
        assert!(judged.is_granted("anon", PolicyCommand::Delete));
        let names = |role, command| policies(&judged, role, command).map(|one| one.name.as_str()).collect();
        let of_anon: Vec<&str> = names("anon", PolicyCommand::Update);
        let of_others: Vec<&str> = names("authenticated", PolicyCommand::Update);
        assert_eq!((of_anon, of_others), (vec!["mine", "all_of_us"], vec!["all_of_us"]));
    }

    #[test]
    fn restrictive_policies_are_asked_after_all_others_by_their_names() {
        let judged = table(
            "create table t (id int primary key, a text); alter table t enable row level security;
             create policy z on t as restrictive using (id > 0);
             create policy one on t using (a = 'x');
             create policy b on t as restrictive for insert with check (id > 1);
             create policy two on t for insert with check (true);",
        );
        let asked = demands(policies(&judged, "anon", PolicyCommand::Insert), |one| one.using.as_deref());
        let names: Vec<_> = asked.iter().map(|demand| (demand.policy, demand.any.len())).collect();
        assert_eq!(names, [(None, 2), (Some("b"), 1), (Some("z"), 1)]);
        let told =
            |policy, existing| violated(&TableName::public("t"), policy, existing).message().to_owned();
        assert_eq!(told(None, false), "new row violates row-level security policy for table \"t\"");
        assert_eq!(
            told(Some("b"), true),
            "new row violates row-level security policy \"b\" (USING expression) for table \"t\""
        );
    }

    #[test]
    fn columns_are_granted_one_by_one() {
        let some = table(
            "create table t (id int primary key, a text, b text);
             grant select (a, b), update (a) on t to anon; revoke select (b) on t from anon;",
        );
        assert_eq!(some.columns_granted("anon", PolicyCommand::Select), ["a"]);
        assert_eq!(some.columns_granted("anon", PolicyCommand::Update), ["a"]);
        assert!(some.columns_granted("anon", PolicyCommand::Delete).is_empty());
        assert_eq!(denied(&some, &TableName::public("t")).message(), "permission denied for table t");
    }
}
