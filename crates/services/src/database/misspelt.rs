//! Which columns may be meant by a name that there is not, as PostgreSQL guesses
//! (`updateFuzzyAttrMatchState` of its parser).

/// Names further from what was written are not meant.
const FURTHEST: usize = 3;

/// The one or two of `known` names that are nearest to what was written; none where nothing is near, or where
/// too many are as near.
pub(super) fn meant<'k>(written: &str, known: impl Iterator<Item = &'k str>) -> Vec<&'k str> {
    let (mut nearest, mut found) = (FURTHEST + 1, Vec::new());
    for name in known {
        let distance = distance(name, written);
        if distance > written.len() / 2 || distance > nearest {
            continue;
        }
        if distance < nearest {
            nearest = distance;
            found = vec![name];
        } else if found.len() == 2 {
            // As many others may be as near: only what is nearer counts from here on.
            found.clear();
            let Some(nearer) = distance.checked_sub(1) else { break };
            nearest = nearer;
        } else if distance <= FURTHEST {
            found.push(name);
        }
    }
    found
}

/// How many characters to put, to take away and to change make one text another.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, c) in one.chars().enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (to, d) in other.iter().enumerate() {
            let changed = before + usize::from(c != *d);
            before = row[to + 1];
            row[to + 1] = changed.min(before + 1).min(row[to] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn near_names_are_meant() {
        let columns = ["id", "name", "home", "tags", "meta"];
        let of = |written| meant(written, columns.into_iter());
        assert_eq!(of("nam"), ["name"]);
        assert_eq!(of("nope"), ["name", "home"]);
        assert_eq!(of("tag"), ["tags"]);
        assert_eq!(of("elsewhere"), [] as [&str; 0]);
        assert_eq!(meant("axb", ["aab", "abb", "acb", "axbc"].into_iter()), [] as [&str; 0]);
    }
}
