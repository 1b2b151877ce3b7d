//! Who may do what: grants, and the policies that hold.

use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{Policy, PolicyCommand, Table, TableKind, TableName};

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
}

/// The policies on the rows of one table.
#[derive(Debug)]
pub(crate) enum Rule<'s> {
    /// All rows.
    Open,
    /// Rows that one of the first and all of the second admit; `None` admits every row.
    Policies { permissive: Vec<Option<&'s str>>, restrictive: Vec<Option<&'s str>> },
}

impl<'a> Access<'a> {
    pub(crate) fn of(cx: &'a Context) -> Self {
        let role = cx.identity().map(|identity| identity.role.as_str());
        let role = role.filter(|role| !matches!(*role, "service_role" | "postgres" | "supabase_admin"));
        Access { role, depth: 0 }
    }

    /// The role that policies hold for; `None` if none does.
    pub(crate) fn role(self) -> Option<&'a str> {
        self.role
    }

    /// The owner of all, as deep.
    pub(crate) fn owner(self) -> Self {
        Access { role: None, ..self }
    }

    /// Another caller, as deep.
    pub(crate) fn acting_as(self, caller: Self) -> Self {
        Access { role: caller.role, ..self }
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
        Ok(Access { depth: self.depth + 1, ..self })
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

    fn rule<'s>(
        &self,
        schema: &'s Schema,
        name: &TableName,
        command: PolicyCommand,
        part: impl Fn(&'s Policy) -> Option<&'s str>,
    ) -> Result<Rule<'s>> {
        let table = schema.table(name)?;
        let Some(role) = self.role else { return Ok(Rule::Open) };
        if !granted(table, role, command) {
            let kind = if table.kind == TableKind::Table { "table" } else { "view" };
            return Err(Error::permission_denied(format!("permission denied for {kind} {}", name.name)));
        }
        if !table.row_security {
            return Ok(Rule::Open);
        }
        let (mut permissive, mut restrictive) = (Vec::new(), Vec::new());
        for policy in &table.policies {
            let mine =
                policy.roles.is_empty() || policy.roles.iter().any(|one| one == role || one == "public");
            if mine && (policy.command == command || policy.command == PolicyCommand::All) {
                let list = if policy.permissive { &mut permissive } else { &mut restrictive };
                list.push(part(policy));
            }
        }
        Ok(Rule::Policies { permissive, restrictive })
    }
}

/// Whether a role may touch a table at all: tables with row-level security are open unless revoked,
/// others closed unless granted.
fn granted(table: &Table, role: &str, command: PolicyCommand) -> bool {
    let privilege = match command {
        PolicyCommand::Select | PolicyCommand::All => "select",
        PolicyCommand::Insert => "insert",
        PolicyCommand::Update => "update",
        PolicyCommand::Delete => "delete",
    };
    let mut open = table.row_security || matches!(table.kind, TableKind::View { invoker: true, .. });
    // Of privileges on columns none is held (the review refuses them), so none opens a table.
    for grant in table.grants.iter().filter(|grant| grant.columns.is_empty()) {
        let concerns = grant.role == role || grant.role == "public";
        if concerns && grant.privileges.iter().any(|one| one == privilege || one == "all") {
            open = !grant.revoke;
        }
    }
    open
}
