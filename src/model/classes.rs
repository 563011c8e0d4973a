//! What counts as confidential: path patterns and tags, compiled, and the labels that they give.

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

use super::short_digest;

/// The labels found on an item by looking at its tags and at what lies beneath it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// Labels of the item, of a folder above it, or of something beneath it.
    pub found: BTreeSet<String>,
    /// Whether all was looked at; without it, no label found does not mean that there is none.
    pub complete: bool,
}

/// The classification of the policy, compiled: which labels a path or a tag gives.
///
/// Adapters hold it while they look at tags and at what lies beneath a folder, so that paths need not be kept.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    patterns: GlobSet,
    pattern_labels: Vec<String>,
    /// The last name of each pattern, a glob without slashes; `None` where one has none that tells.
    names: Option<BTreeSet<String>>,
    tags: BTreeMap<String, BTreeSet<String>>,
    digest: String,
}

impl Classes {
    /// Compiles classes given as `(label, path patterns, tags)`.
    ///
    /// Patterns are case-insensitive globs over owner paths; `*` does not cross a slash, `**` does, and
    /// `**/X/**` matches `X` itself.
    ///
    /// # Errors
    /// The pattern that is none, with the reason.
    pub fn compile(classes: &[(String, Vec<String>, Vec<String>)]) -> Result<Self, (String, globset::Error)> {
        let mut patterns = GlobSetBuilder::new();
        let mut pattern_labels = Vec::new();
        let mut tags: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut last_names = Some(BTreeSet::new());
        let mut parts = Vec::new();
        for (label, globs, names) in classes {
            for glob in globs {
                match (last_name(glob), &mut last_names) {
                    (Some(name), Some(last_names)) => {
                        last_names.insert(name.to_owned());
                    }
                    _ => last_names = None,
                }
                let forms = std::iter::successors(Some(glob.as_str()), |form| form.strip_suffix("/**"));
                for form in forms {
                    let compiled = GlobBuilder::new(form.trim_start_matches('/'))
                        .case_insensitive(true)
                        .literal_separator(true)
                        .backslash_escape(true)
                        .build()
                        .map_err(|error| (glob.clone(), error))?;
                    patterns.add(compiled);
                    pattern_labels.push(label.clone());
                }
            }
            for name in names {
                tags.entry(name.to_lowercase()).or_default().insert(label.clone());
            }
            parts.push(serde_json::json!([label, globs, names]).to_string());
        }
        let patterns = patterns.build().map_err(|error| (String::new(), error))?;
        let digest = short_digest(parts);
        Ok(Self {
            patterns,
            pattern_labels,
            names: last_names,
            tags,
            digest,
        })
    }

    /// Whether any path pattern is configured.
    #[must_use]
    pub fn has_patterns(&self) -> bool {
        !self.pattern_labels.is_empty()
    }

    /// Whether any tag is configured.
    #[must_use]
    pub fn has_tags(&self) -> bool {
        !self.tags.is_empty()
    }

    /// Globs of names, without regard to case, such that whatever a pattern matches has, on itself or on a folder
    /// above it, a name that one of them matches: enough to ask a server for names instead of walking its
    /// folders. `None` where some pattern ends in no name of its own.
    #[must_use]
    pub fn names(&self) -> Option<&BTreeSet<String>> {
        self.names.as_ref()
    }

    /// The tags that give a label, in lower case.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.keys().map(String::as_str)
    }

    /// The labels that a path gives, through itself or a folder above it.
    #[must_use]
    pub fn of_path(&self, path: &str) -> BTreeSet<String> {
        let path = path.trim_matches('/');
        let ends = path
            .match_indices('/')
            .map(|(at, _)| at)
            .chain(std::iter::once(path.len()));
        ends.flat_map(|end| self.patterns.matches(&path[..end]))
            .filter_map(|index| self.pattern_labels.get(index).cloned())
            .collect()
    }

    /// The labels that a tag gives; tags compare without regard to case.
    #[must_use]
    pub fn of_tag(&self, tag: &str) -> BTreeSet<String> {
        self.tags.get(&tag.to_lowercase()).cloned().unwrap_or_default()
    }

    /// Tells one classification from another, so that labels found under an older one are looked up again.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// The last part of a pattern that is a name, after which anything may follow. `None` where there is none, or where
/// an alternative may hold a slash, so that the parts cannot be told from each other.
fn last_name(glob: &str) -> Option<&str> {
    let even = |part: &str, open, close| part.matches(open).count() == part.matches(close).count();
    let whole = |part: &str| even(part, '{', '}') && even(part, '[', ']') && !part.ends_with('\\');
    // A class that begins with its closing bracket may go on beyond a slash.
    let odd = ["[]", "[!]", "[^]"].iter().any(|class| glob.contains(class));
    if odd || !glob.split('/').all(whole) {
        return None;
    }
    let name = glob.rsplit('/').find(|part| *part != "**" && !part.is_empty())?;
    (!name.contains("**")).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_name_of_a_pattern_is_what_has_to_be_there() {
        for (glob, name) in [
            ("**/HR/**", Some("HR")),
            ("**/*.kdbx", Some("*.kdbx")),
            ("/Finance/20??/*/**", Some("*")),
            ("HR", Some("HR")),
            ("**/HR/", Some("HR")),
            ("**", None),
            ("**/**", None),
            ("/", None),
            ("**/a**b", None),
            ("**/{HR,Finance}/**", Some("{HR,Finance}")),
            ("**/*.{key,kdbx}", Some("*.{key,kdbx}")),
            ("**/{HR,a/b}/**", None),
            ("**/x[/]y", None),
            ("a\\/b", None),
            ("x[]a/b[]", None),
            ("**/HR/**/**", Some("HR")),
        ] {
            assert_eq!(last_name(glob), name, "{glob}");
        }
        let names = |globs: &[&str]| {
            let globs = globs.iter().map(|glob| (*glob).to_owned()).collect();
            let classes = Classes::compile(&[("c".to_owned(), globs, Vec::new())]).unwrap();
            classes.names().cloned()
        };
        let both = BTreeSet::from(["HR".to_owned(), "*.kdbx".to_owned()]);
        assert_eq!(names(&["**/HR/**", "**/*.kdbx"]), Some(both));
        assert_eq!(names(&["**/HR/**", "**"]), None);
        assert_eq!(names(&["**", "**/HR/**"]), None);
    }

    fn classes() -> Classes {
        Classes::compile(&[(
            "confidential".to_owned(),
            vec!["**/HR/**".to_owned(), "**/*.kdbx".to_owned()],
            vec!["Confidential".to_owned()],
        )])
        .unwrap()
    }

    #[test]
    fn a_path_is_classified_through_itself_and_its_ancestors() {
        let hit = |path: &str| !classes().of_path(path).is_empty();
        assert!(hit("/HR/salaries.xlsx"));
        assert!(hit("/HR"), "**/X/** matches X itself");
        assert!(hit("/a/hr/b/c"), "case does not matter");
        assert!(hit("/vault.KDBX"));
        assert!(hit("/a/vault.kdbx/inside"), "beneath a match");
        let twice = [("c".to_owned(), vec!["**/HR/**/**".to_owned()], Vec::new())];
        let twice = Classes::compile(&twice).unwrap();
        assert!(!twice.of_path("/a/HR").is_empty(), "however often it is said");
        assert!(!hit("/HRx/file"));
        assert!(!hit("/"));
    }

    fn part() -> impl Strategy<Value = String> {
        let odd = vec![
            "", "[]a", "b[]", "**a", "{a", "b}", "a\\\\", "[!a]", "[ab]", "{a,HR}", "a*", "?", "*",
        ];
        prop_oneof![
            3 => Just("**"),
            3 => prop::sample::select(vec!["HR", "a", "b"]),
            1 => prop::sample::select(odd),
        ]
        .prop_map(str::to_owned)
    }

    proptest! {
        /// What a search for names rests on.
        #[test]
        fn whatever_has_labels_has_them_through_a_name_that_is_sought(
            globs in prop::collection::vec(prop::collection::vec(part(), 1..5), 1..3),
            path in prop::collection::vec(prop::sample::select(vec!["a", "b", "hr", "HR", "ab", "x", "]a"]), 1..5),
        ) {
            let globs: Vec<String> = globs.iter().map(|parts| parts.join("/")).collect();
            let Ok(classes) = Classes::compile(&[("c".to_owned(), globs.clone(), Vec::new())]) else {
                return Ok(());
            };
            let Some(names) = classes.names() else {
                return Ok(());
            };
            let sought = |name: &str| names.iter().any(|glob| {
                let glob = GlobBuilder::new(glob)
                    .case_insensitive(true)
                    .backslash_escape(true)
                    .build()
                    .unwrap();
                glob.compile_matcher().is_match(name)
            });
            let labelled = |path: &[&str]| !classes.of_path(&path.join("/")).is_empty();
            let found = (1..=path.len()).any(|end| sought(path[end - 1]) && labelled(&path[..end]));
            prop_assert_eq!(found, labelled(&path), "{:?} {:?}", globs, path);
        }
    }

    #[test]
    fn tags_compare_without_regard_to_case() {
        assert_eq!(classes().of_tag("CONFIDENTIAL").len(), 1);
        assert!(classes().of_tag("other").is_empty());
    }
}
