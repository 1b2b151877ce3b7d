//! Who may do what: grants, and the policies that hold.

use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{Partition, Policy, PolicyCommand, Table, TableName, is_above_policies};
use truststream_sql::grants::{Demand, concerning, demands, denied, policies};
use truststream_sql::partitions::may;

use crate::schema::Schema;

/// How deep policies may lead to other tables with policies.
const DEEPEST: usize = 8;

/// What a caller may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access<'a> {
    /// The role that policies hold for; `None` if none does.
    role: Option<&'a str>,
    /// How many policies led here.
    depth: usize,
    /// Rights on single columns count: [`Access::may_read`] is asked for each column that is named.
    by_columns: bool,
}

/// The policies on the rows of one table.
#[derive(Debug)]
pub(crate) enum Rule<'s> {
    /// All rows.
    Open,
    /// Rows that meet all that policies ask.
    Policies(Vec<Demand<'s>>),
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

    /// The same caller where rights on single columns count, or no more.
    pub(crate) fn by_columns(self, by_columns: bool) -> Self {
        Access { by_columns, ..self }
    }

    /// Refuses a column that is closed to the caller.
    ///
    /// # Errors
    /// 42501.
    pub(crate) fn may_read(self, table: &Table, name: &TableName, column: &str) -> Result<()> {
        let Some(role) = self.role.filter(|_| self.by_columns) else { return Ok(()) };
        let open = table.is_granted(role, PolicyCommand::Select)
            || table.columns_granted(role, PolicyCommand::Select).contains(&column);
        if open { Ok(()) } else { Err(denied(table, name)) }
    }

    /// Refuses a write to columns that are closed to the caller.
    ///
    /// # Errors
    /// 42501.
    pub(crate) fn may_write(
        self,
        (name, table): (&TableName, &Table),
        command: PolicyCommand,
        columns: &[&str],
    ) -> Result<()> {
        let Some(role) = self.role else { return Ok(()) };
        let open = table.columns_granted(role, command);
        let all = !columns.is_empty() && columns.iter().all(|column| open.contains(column));
        if all || table.is_granted(role, command) { Ok(()) } else { Err(denied(table, name)) }
    }

    /// The owner of all, as deep.
    pub(crate) fn owner(self) -> Self {
        Access { role: None, by_columns: false, ..self }
    }

    /// Another caller, as deep.
    pub(crate) fn acting_as(self, caller: Self) -> Self {
        Access { role: caller.role, by_columns: false, ..self }
    }

    /// The same caller, within a policy of a table.
    ///
    /// # Errors
    /// 42P17 if policies lead on without end.
    pub(crate) fn deeper(self, table: &TableName) -> Result<Self> {
        if self.depth >= DEEPEST {
            let message = format!("infinite recursion detected in policy for relation \"{}\"", table.name);
            return Err(Error::new(ErrorKind::InvalidInput, "42P17", message));
        }
        Ok(Access { depth: self.depth + 1, by_columns: false, ..self })
    }

    /// Which existing rows are open to a command.
    ///
    /// # Errors
    /// 42501 if the table is closed to the caller; PGRST205 if there is none.
    pub(crate) fn using<'s>(
        &self,
        schema: &'s Schema,
        name: &TableName,
        command: PolicyCommand,
    ) -> Result<Rule<'s>> {
        self.rule(schema, name, command, |policy| policy.using.as_deref())
    }

    /// Which new rows a command may write.
    ///
    /// # Errors
    /// Those of [`Access::using`].
    pub(crate) fn check<'s>(
        &self,
        schema: &'s Schema,
        name: &TableName,
        command: PolicyCommand,
    ) -> Result<Rule<'s>> {
        self.rule(schema, name, command, |policy| policy.check.as_deref().or(policy.using.as_deref()))
    }

    /// Which rows of a partition are open to a command by its own name: existing ones, or new ones. What
    /// policies of its table say is not asked.
    ///
    /// # Errors
    /// 42501 if it is closed to the caller.
    pub(crate) fn of_partition<'s>(
        &self,
        partition: &'s Partition,
        (command, new): (PolicyCommand, bool),
    ) -> Result<Rule<'s>> {
        let Some(role) = self.role else { return Ok(Rule::Open) };
        may(partition, role, command)?;
        if !partition.row_security {
            return Ok(Rule::Open);
        }
        let policies = concerning(&partition.policies, role, command);
        let part = |policy: &'s Policy| policy.check.as_deref().filter(|_| new).or(policy.using.as_deref());
        Ok(Rule::Policies(demands(policies, part)))
    }

    fn rule<'s>(
        &self,
        schema: &'s Schema,
        name: &TableName,
        command: PolicyCommand,
        part: impl Fn(&'s Policy) -> Option<&'s str>,
    ) -> Result<Rule<'s>> {
        let table = schema.table(name)?;
        let Some(role) = self.role else { return Ok(Rule::Open) };
        let some = self.by_columns && !table.columns_granted(role, command).is_empty();
        if !some && !table.is_granted(role, command) {
            return Err(denied(table, name));
        }
        if !table.row_security {
            return Ok(Rule::Open);
        }
        Ok(Rule::Policies(demands(policies(table, role, command), part)))
    }
}
