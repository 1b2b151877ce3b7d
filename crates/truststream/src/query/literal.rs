//! Values as the texts that filters compare with.

use std::fmt::{Display, Write as _};

/// An array literal of PostgreSQL: every element quoted, so that none is taken for syntax.
pub(super) fn array(values: impl IntoIterator<Item = impl Display>) -> String {
    let mut text = String::from("{");
    let mut element = String::new();
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        element.clear();
        // Writing to a string fails only if the value's own `Display` does, which then wrote what it could.
        let _ = write!(element, "{value}");
        text.push('"');
        for c in element.chars() {
            if matches!(c, '"' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::array;

    #[test]
    fn elements_are_never_syntax() {
        assert_eq!(array([1, 2]), r#"{"1","2"}"#);
        assert_eq!(array(["a,b", "c\"d", "e\\f", "null", ""]), r#"{"a,b","c\"d","e\\f","null",""}"#);
        assert_eq!(array(std::iter::empty::<i32>()), "{}");
    }
}
