//! The name that was probably meant.

/// The name nearest to what was written, where one is near enough to be what was meant.
pub(super) fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = plain(given);
    let near = |name: &str| {
        let name = plain(name);
        let shorter = given.len().min(name.len());
        let contained = shorter >= 4 && (given.contains(&name) || name.contains(&given));
        let distance = distance(&given, &name);
        let limit = given.chars().count().max(name.chars().count()).div_ceil(3).max(1);
        match distance {
            near if near <= limit.min(shorter.saturating_sub(1)) => Some(near),
            _ if contained => Some(limit + distance),
            _ => None,
        }
    };
    names
        .into_iter()
        .filter_map(|name| Some((near(name)?, name)))
        .min()
        .map(|(_, name)| name)
}

/// Without case, and with one sign between words.
fn plain(text: &str) -> String {
    text.chars()
        .take(64)
        .flat_map(char::to_lowercase)
        .map(|c| if c == '_' { '-' } else { c })
        .collect()
}

/// How many letters must be put in, taken out, changed or swapped with the next to get from one to the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    let mut last = None;
    for (i, a) in one.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut best = (row[j] + usize::from(a != *b))
                .min(row[j + 1] + 1)
                .min(next[j] + 1);
            if j > 0 && last == Some(*b) && other[j - 1] == a {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(a);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised() {
        let names = [
            "schedule",
            "source",
            "state",
            "max_expiry",
            "link-without-password",
            "url",
        ];
        for (given, meant) in [
            ("shedule", Some("schedule")),
            ("sorce", Some("source")),
            ("sources", Some("source")),
            ("max-expiry", Some("max_expiry")),
            ("max_expiry_days", Some("max_expiry")),
            ("link_without_pasword", Some("link-without-password")),
            ("ulr", Some("url")),
            ("uri", Some("url")),
            ("banana", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, names), meant, "{given}");
        }
    }
}
