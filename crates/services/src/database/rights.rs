//! What grants say of a role: for engines that have none, and for descriptions of what a role may reach.

use super::{Function, Parameter, PolicyCommand, Table, TableKind};

impl Table {
    /// Whether a role may touch its rows at all: with row-level security it is open unless revoked, without
    /// closed unless granted.
    pub fn is_granted(&self, role: &str, command: PolicyCommand) -> bool {
        self.has_privilege(role, privilege(command))
    }

    /// Whether a role may empty it, which no policy is asked for.
    pub fn may_be_truncated_by(&self, role: &str) -> bool {
        self.has_privilege(role, "truncate")
    }

    /// The columns that are open to a role's command although the table is not.
    pub fn columns_granted(&self, role: &str, command: PolicyCommand) -> Vec<&str> {
        let privilege = privilege(command);
        let mut open: Vec<&str> = Vec::new();
        // Rows are deleted whole.
        for grant in self.grants.iter().filter(|_| command != PolicyCommand::Delete) {
            if !concerns(&grant.role, role)
                || !grant.privileges.iter().any(|one| one == privilege || one == "all")
            {
                continue;
            }
            match (grant.columns.is_empty(), grant.revoke) {
                (true, true) => open.clear(),
                (true, false) => {}
                (false, true) => open.retain(|column| !grant.columns.iter().any(|gone| gone == column)),
                (false, false) => open.extend(grant.columns.iter().map(String::as_str)),
            }
        }
        open
    }

    /// Whether a role may do anything with its rows or with some of its columns.
    pub fn is_reachable_by(&self, role: &str) -> bool {
        use PolicyCommand::{Delete, Insert, Select, Update};
        [Select, Insert, Update, Delete]
            .into_iter()
            .any(|command| self.is_granted(role, command) || !self.columns_granted(role, command).is_empty())
    }

    fn has_privilege(&self, role: &str, privilege: &str) -> bool {
        let mut open = self.row_security || matches!(self.kind, TableKind::View { invoker: true, .. });
        for grant in self.grants.iter().filter(|grant| grant.columns.is_empty()) {
            if concerns(&grant.role, role)
                && grant.privileges.iter().any(|one| one == privilege || one == "all")
            {
                open = !grant.revoke;
            }
        }
        open
    }
}

impl Function {
    /// Whether a role may call it: everybody may, unless it was revoked.
    pub fn is_open_to(&self, role: &str) -> bool {
        // `public` is one more grantee: who is granted by name stays when it is revoked.
        let last = |who: &str| self.grants.iter().rev().find(|grant| grant.role == who);
        let public = last("public").is_none_or(|grant| !grant.revoke);
        public || last(role).is_some_and(|grant| !grant.revoke)
    }

    /// Whether requests can call it at all: by the names of its parameters, or with a body that is its only
    /// one. What triggers call they cannot.
    pub fn is_callable(&self) -> bool {
        let unnamed = |parameter: &&Parameter| parameter.name.is_empty();
        let whole = ["bytea", "json", "jsonb", "text", "xml"];
        self.returns.type_name != "trigger"
            && match self.parameters.iter().find(unnamed) {
                None => true,
                Some(parameter) => {
                    self.parameters.len() == 1 && whole.contains(&parameter.type_name.as_str())
                }
            }
    }
}

/// Whether what is said of one role holds for another.
fn concerns(named: &str, role: &str) -> bool {
    named == role || named == "public"
}

fn privilege(command: PolicyCommand) -> &'static str {
    match command {
        PolicyCommand::Select | PolicyCommand::All => "select",
        PolicyCommand::Insert => "insert",
        PolicyCommand::Update => "update",
        PolicyCommand::Delete => "delete",
    }
}
