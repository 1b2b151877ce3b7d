//! The names that errors have in PL/pgSQL
//! (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).

/// Which errors a handler catches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `others`: all but a cancelled statement and a failed `assert`.
    Others,
    /// Those of a SQLSTATE; of its whole class if it ends in `000`.
    State(String),
}

impl Condition {
    /// Whether an error of this code is caught.
    pub fn catches(&self, code: &str) -> bool {
        match self {
            Condition::Others => code != "57014" && code != "P0004",
            Condition::State(state) => {
                state == code || (state.ends_with("000") && code.get(..2) == state.get(..2))
            }
        }
    }
}

/// A SQLSTATE, or the one of a condition's name; whatever else it is, itself.
pub(super) fn code_of(text: &str) -> String {
    let lower = text.to_lowercase();
    let known = NAMES.iter().find(|(name, _)| *name == lower);
    known.map_or_else(|| text.to_owned(), |(_, code)| (*code).to_owned())
}

const NAMES: &[(&str, &str)] = &[
    ("array_subscript_error", "2202E"),
    ("assert_failure", "P0004"),
    ("cannot_coerce", "42846"),
    ("cardinality_violation", "21000"),
    ("case_not_found", "20000"),
    ("character_not_in_repertoire", "22021"),
    ("check_violation", "23514"),
    ("data_exception", "22000"),
    ("datatype_mismatch", "42804"),
    ("datetime_field_overflow", "22008"),
    ("deadlock_detected", "40P01"),
    ("dependent_objects_still_exist", "2BP01"),
    ("division_by_zero", "22012"),
    ("duplicate_object", "42710"),
    ("duplicate_table", "42P07"),
    ("exclusion_violation", "23P01"),
    ("feature_not_supported", "0A000"),
    ("foreign_key_violation", "23503"),
    ("insufficient_privilege", "42501"),
    ("integrity_constraint_violation", "23000"),
    ("invalid_authorization_specification", "28000"),
    ("invalid_datetime_format", "22007"),
    ("invalid_json_text", "22032"),
    ("invalid_parameter_value", "22023"),
    ("invalid_password", "28P01"),
    ("invalid_regular_expression", "2201B"),
    ("invalid_text_representation", "22P02"),
    ("invalid_transaction_state", "25000"),
    ("lock_not_available", "55P03"),
    ("no_data_found", "P0002"),
    ("not_null_violation", "23502"),
    ("null_value_not_allowed", "22004"),
    ("numeric_value_out_of_range", "22003"),
    ("object_in_use", "55006"),
    ("object_not_in_prerequisite_state", "55000"),
    ("plpgsql_error", "P0000"),
    ("query_canceled", "57014"),
    ("raise_exception", "P0001"),
    ("read_only_sql_transaction", "25006"),
    ("restrict_violation", "23001"),
    ("sequence_generator_limit_exceeded", "2200H"),
    ("serialization_failure", "40001"),
    ("string_data_right_truncation", "22001"),
    ("syntax_error", "42601"),
    ("syntax_error_or_access_rule_violation", "42000"),
    ("too_many_rows", "P0003"),
    ("transaction_rollback", "40000"),
    ("undefined_column", "42703"),
    ("undefined_function", "42883"),
    ("undefined_object", "42704"),
    ("undefined_table", "42P01"),
    ("unique_violation", "23505"),
    ("with_check_option_violation", "44000"),
    ("wrong_object_type", "42809"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_caught_whole() {
        let class = Condition::State(code_of("INTEGRITY_CONSTRAINT_VIOLATION"));
        assert!(class.catches("23505") && !class.catches("22012"));
        let one = Condition::State(code_of("unique_violation"));
        assert!(one.catches("23505") && !one.catches("23503"));
        assert!(Condition::Others.catches("P0001"));
        assert!(!Condition::Others.catches("57014") && !Condition::Others.catches("P0004"));
        assert_eq!(code_of("MY001"), "MY001");
    }
}
