//! Who may do what: grants, and policies as conditions.

use std::collections::HashMap;

use truststream_kernel::{Context, Result};
use truststream_services::database::{Partition, Policy, PolicyCommand, Table, TableName, is_above_policies};
use truststream_sql::grants::{Demand, concerning, demands, denied, policies};
use truststream_sql::partitions;

use crate::schema::Schema;
use crate::translate;

/// Conditions made of policies, by table.
pub(crate) type Conditions = HashMap<TableName, Vec<Known>>;

/// A condition made of policies.
#[derive(Debug)]
pub(crate) struct Known {
    role: String,
    command: PolicyCommand,
    /// Whether it is on new rows.
    check: bool,
    sql: Option<String>,
}

/// What a caller may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access<'a> {
    /// The role that policies hold for; `None` if none does.
    role: Option<&'a str>,
    /// How many policies led here.
    depth: usize,
    /// Whether who asks looks at each column by itself ([`Access::may_read`]).
    by_columns: bool,
}

impl<'a> Access<'a> {
    pub(crate) fn of(cx: &'a Context) -> Self {
        let role = cx.identity().map(|identity| identity.role.as_str());
        let role = role.filter(|role| !is_above_policies(role));
        Access { role, depth: 0, by_columns: false }
    }

    /// The role that policies hold for; `None` if none does.
    pub(crate) fn role(self) -> Option<&'a str> {
        self.role
    }

    /// The same caller, within a policy.
    pub(crate) fn deeper(self) -> Self {
        Access { depth: self.depth + 1, by_columns: false, ..self }
    }

    /// The same caller where rights on single columns count: [`Access::may_read`] is asked for each
    /// column that is named.
    pub(crate) fn by_columns(self) -> Self {
        Access { by_columns: true, ..self }
    }

    /// Refuses a column that is closed to the caller.
    ///
    /// # Errors
    /// 42501.
    pub(crate) fn may_read(self, table: &Table, name: &TableName, column: &str) -> Result<()> {
        let Some(role) = self.role.filter(|_| self.by_columns) else { return Ok(()) };
        if table.is_granted(role, PolicyCommand::Select)
            || table.columns_granted(role, PolicyCommand::Select).contains(&column)
        {
            return Ok(());
        }
        Err(denied(table, name))
    }

    /// Refuses a write to columns that are closed to the caller.
    ///
    /// # Errors
    /// 42501.
    pub(crate) fn may_write(
        self,
        schema: &Schema,
        name: &TableName,
        command: PolicyCommand,
        columns: &[String],
    ) -> Result<()> {
        let (Some(role), table) = (self.role, schema.table(name)?) else { return Ok(()) };
        let open = table.columns_granted(role, command);
        let all = !columns.is_empty() && columns.iter().all(|column| open.contains(&column.as_str()));
        if all || table.is_granted(role, command) { Ok(()) } else { Err(denied(table, name)) }
    }

    pub(crate) fn depth(self) -> usize {
        self.depth
    }

    /// The condition under which existing rows are open to a command; `None` if all are.
    ///
    /// # Errors
    /// 42501 if the table is closed to the caller; PGRST205 if there is none.
    pub(crate) fn using(
        &self,
        schema: &Schema,
        name: &TableName,
        command: PolicyCommand,
    ) -> Result<Option<String>> {
        self.known(schema, name, (command, false))
    }

    /// The condition that new rows must meet; `None` if all do.
    ///
    /// # Errors
    /// Those of [`Access::using`].
    pub(crate) fn check(
        &self,
        schema: &Schema,
        name: &TableName,
        command: PolicyCommand,
    ) -> Result<Option<String>> {
        self.known(schema, name, (command, true))
    }

    /// The condition as it was made before, or made now.
    fn known(
        &self,
        schema: &Schema,
        name: &TableName,
        (command, check): (PolicyCommand, bool),
    ) -> Result<Option<String>> {
        let Some(role) = self.role else { return self.condition(schema, name, (command, check)) };
        let table = schema.table(name)?;
        let some = || self.by_columns && !table.columns_granted(role, command).is_empty();
        if !table.is_granted(role, command) && !some() {
            return Err(denied(table, name));
        }
        // Within policies the depth counts: only what callers ask for themselves is kept.
        if self.depth > 0 {
            return self.condition(schema, name, (command, check));
        }
        let is_it = |one: &&Known| one.role == role && one.command == command && one.check == check;
        if let Some(known) = schema.conditions.lock().get(name).and_then(|known| known.iter().find(is_it)) {
            return Ok(known.sql.clone());
        }
        let sql = self.condition(schema, name, (command, check))?;
        let known = Known { role: role.to_owned(), command, check, sql: sql.clone() };
        schema.conditions.lock().entry(name.clone()).or_default().push(known);
        Ok(sql)
    }

    /// The condition under which rows of a partition are open to a command by its own name: existing ones, or
    /// new ones. What policies of its table say is not asked.
    ///
    /// # Errors
    /// 42501 if it is closed to the caller.
    pub(crate) fn of_partition(
        &self,
        schema: &Schema,
        (name, partition): (&TableName, &Partition),
        (command, new): (PolicyCommand, bool),
    ) -> Result<Option<String>> {
        let Some(role) = self.role else { return Ok(None) };
        partitions::may(partition, role, command)?;
        if !partition.row_security {
            return Ok(None);
        }
        let policies = concerning(&partition.policies, role, command);
        self.together(schema, name, demands(policies, part(new)))
    }

    /// What policies ask of rows that a statement calls by a table's name or a partition's, one demand after
    /// another, each with the policy that alone asks it: of existing rows, or of new ones.
    ///
    /// # Errors
    /// Those of [`Access::using`].
    pub(crate) fn demands(
        &self,
        schema: &Schema,
        named: &TableName,
        (command, new): (PolicyCommand, bool),
    ) -> Result<Vec<(Option<String>, String)>> {
        let Some(role) = self.role else { return Ok(Vec::new()) };
        let (name, secured, policies) = match schema.catalog.partition(named) {
            Some((table, one)) => (table, one.row_security, &one.policies),
            None => {
                let table = schema.table(named)?;
                (named, table.row_security, &table.policies)
            }
        };
        if !secured {
            return Ok(Vec::new());
        }
        self.one_by_one(schema, name, demands(concerning(policies, role, command), part(new)))
    }

    fn condition(
        &self,
        schema: &Schema,
        name: &TableName,
        (command, new): (PolicyCommand, bool),
    ) -> Result<Option<String>> {
        let table = schema.table(name)?;
        let Some(role) = self.role else { return Ok(None) };
        if !table.row_security {
            return Ok(None);
        }
        self.together(schema, name, demands(policies(table, role, command), part(new)))
    }

    /// What policies ask together of the rows of a table.
    fn together(
        &self,
        schema: &Schema,
        name: &TableName,
        demands: Vec<Demand<'_>>,
    ) -> Result<Option<String>> {
        let asked = self.one_by_one(schema, name, demands)?;
        let all: Vec<String> = asked.into_iter().map(|(_, condition)| condition).collect();
        Ok(Some(format!("({})", all.join(" AND "))))
    }

    fn one_by_one(
        &self,
        schema: &Schema,
        name: &TableName,
        demands: Vec<Demand<'_>>,
    ) -> Result<Vec<(Option<String>, String)>> {
        let condition = |text: &Option<&str>| match text {
            Some(text) => translate::condition(schema, name, *self, text),
            None => Ok("1".to_owned()),
        };
        let asked = |demand: Demand<'_>| {
            let any = demand.any.iter().map(condition).collect::<Result<Vec<_>>>()?;
            let any = if any.is_empty() { "0".to_owned() } else { format!("({})", any.join(" OR ")) };
            Ok((demand.policy.map(str::to_owned), any))
        };
        demands.into_iter().map(asked).collect()
    }
}

/// The part of a policy that existing or new rows are judged by.
fn part(new: bool) -> impl Fn(&Policy) -> Option<&str> {
    move |policy| policy.check.as_deref().filter(|_| new).or(policy.using.as_deref())
}
