//! What kind of error a code stands for.

use crate::ErrorKind;

impl ErrorKind {
    /// The kind of a SQLSTATE or a `PGRST…` code
    /// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>,
    /// <https://docs.postgrest.org/en/v14/references/errors.html>).
    pub fn of_code(code: &str) -> ErrorKind {
        match code {
            "23505" => ErrorKind::AlreadyExists,
            "42501" => ErrorKind::PermissionDenied,
            "42P01" | "42883" | "3F000" | "PGRST202" | "PGRST205" => ErrorKind::NotFound,
            "40001" | "40P01" | "55P03" => ErrorKind::Conflict,
            "57014" | "PGRST003" => ErrorKind::Timeout,
            "0A000" => ErrorKind::Unsupported,
            "54000" => ErrorKind::TooLarge,
            "PGRST301" | "PGRST302" | "PGRST303" => ErrorKind::Unauthenticated,
            "PGRST000" | "PGRST001" | "PGRST002" => ErrorKind::Unavailable,
            "PGRST300" | "PGRST111" | "PGRST112" => ErrorKind::Internal,
            _ => match code.get(..2) {
                Some("23") => ErrorKind::Constraint,
                Some("28") => ErrorKind::Unauthenticated,
                Some("08" | "53" | "57" | "58") => ErrorKind::Unavailable,
                Some("22" | "42" | "21" | "25" | "44" | "P0" | "PT" | "PG") => ErrorKind::InvalidInput,
                _ => ErrorKind::Internal,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_kind_of_their_class() {
        for (code, kind) in [
            ("23505", ErrorKind::AlreadyExists),
            ("23502", ErrorKind::Constraint),
            ("PGRST116", ErrorKind::InvalidInput),
            ("PGRST301", ErrorKind::Unauthenticated),
            ("08006", ErrorKind::Unavailable),
            ("XX000", ErrorKind::Internal),
            ("é", ErrorKind::Internal),
            ("", ErrorKind::Internal),
        ] {
            assert_eq!(ErrorKind::of_code(code), kind, "{code}");
        }
    }
}
