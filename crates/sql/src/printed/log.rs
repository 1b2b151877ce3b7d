//! The log of changes that TrustStream keeps in PostgreSQL, the same whoever reads it.

/// What a script has where the log is made.
const PLACE: &str = "{change log}";

/// The script with the statements, in the place it has for them, that make the change log in `schema`,
/// which exists: its tables, and the functions of the triggers that fill them. Run again they renew the
/// functions and keep what is recorded.
#[must_use]
pub fn with_change_log(script: &str, schema: &str) -> String {
    script.replacen(PLACE, &include_str!("log.sql").replace("{schema}", schema), 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_log_is_made_where_the_script_says_in_its_schema() {
        let script = super::with_change_log("create schema s;\n{change log}\nselect 1;\n", "s");
        assert!(script.starts_with("create schema s;\n-- Which consumer"), "{script}");
        assert!(script.contains("create table if not exists s.changes (") && script.ends_with("select 1;\n"));
        assert!(script.contains("'s.origin'") && !script.contains("{schema}"));
    }
}
