//! Reads from a view's stored query which of its columns come unchanged from another relation.

/// A column of a view and where it comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// Number of the view's column.
    pub(super) number: u32,
    /// Object id of the relation.
    pub(super) relation: u32,
    /// Number of that relation's column.
    pub(super) column: u32,
}

/// The origins named by the target list of the outermost query of a `pg_node_tree`. The lists of
/// queries within it (subqueries, set operations) are passed over.
pub(super) fn origins(tree: &str) -> Vec<Origin> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut within = false;
    let mut entry = Origin::default();
    let mut words = Words { text: tree };
    while let Some(word) = words.next() {
        match word {
            "{" | "(" => depth += 1,
            "}" | ")" => {
                depth = depth.saturating_sub(1);
                // An entry of the outermost target list ends.
                if within && depth == 3 && entry.relation != 0 {
                    found.push(entry);
                }
                if depth == 2 {
                    within = false;
                }
            }
            // `({QUERY … :targetList ({TARGETENTRY …} …) …})`
            ":targetList" if depth == 2 => within = true,
            _ if !within => {}
            "TARGETENTRY" if depth == 4 => entry = Origin::default(),
            ":resno" if depth == 4 => entry.number = words.number(),
            ":resorigtbl" if depth == 4 => entry.relation = words.number(),
            ":resorigcol" if depth == 4 => entry.column = words.number(),
            _ => {}
        }
    }
    found
}

/// Brackets and the words between them; a backslash takes away the meaning of what follows it.
struct Words<'t> {
    text: &'t str,
}

impl<'t> Words<'t> {
    fn number(&mut self) -> u32 {
        self.next().and_then(|word| word.parse().ok()).unwrap_or_default()
    }
}

impl<'t> Iterator for Words<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        self.text = self.text.trim_start();
        let bytes = self.text.as_bytes();
        let special = |byte: u8| matches!(byte, b'{' | b'}' | b'(' | b')') || byte.is_ascii_whitespace();
        let mut end = 0;
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'\\' => end += 2,
                byte if special(*byte) => break,
                _ => end += 1,
            }
        }
        let end = end.max(1).min(bytes.len());
        if bytes.is_empty() {
            return None;
        }
        let (word, rest) = match self.text.is_char_boundary(end) {
            true => self.text.split_at(end),
            // A backslash stood before a character of several bytes.
            false => self.text.split_at(self.text.len()),
        };
        self.text = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_outermost_list_counts() {
        let tree = r"({QUERY :rtable ({RTE :subquery {QUERY :targetList ({TARGETENTRY :resno 9 :resorigtbl 5 :resorigcol 9})}})
            :targetList ({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname a\{b :resorigtbl 77 :resorigcol 2 :resjunk false}
            {TARGETENTRY :expr {SUBLINK :subselect {QUERY :targetList ({TARGETENTRY :resno 1 :resorigtbl 8 :resorigcol 1})}} :resno 2 :resorigtbl 0 :resorigcol 0}
            {TARGETENTRY :expr {VAR} :resno 3 :resorigtbl 78 :resorigcol 4}) :override 0})";
        let origin = |number, relation, column| Origin { number, relation, column };
        assert_eq!(origins(tree), [origin(1, 77, 2), origin(3, 78, 4)]);
        assert!(origins("").is_empty());
    }
}
