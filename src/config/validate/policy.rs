//! The policy: thresholds, domains, levels, classes.

use std::collections::BTreeMap;

use super::{
    Context,
    exceptions::{gaps, overrides, waivers},
};
use crate::{
    config::{
        addresses,
        load::Digests,
        values,
        written::{At, Classify, File, Policy as Written},
    },
    model::{Classes, SourceKind},
    policy::Policy,
};

/// The policy that the files state.
pub(super) fn policy(
    it: &mut Context<'_>,
    file: &File,
    digests: Digests,
    sources: &[(&str, SourceKind)],
) -> Policy {
    let written = &file.policy;
    let max_waiver = it.time("max_waiver", &written.max_waiver);
    let policy = Policy {
        internal_domains: it.all("internal_domains", &written.internal_domains, addresses::domain),
        partner_domains: it.all("partner_domains", &written.partner_domains, addresses::domain),
        internal_servers: it.all("internal_servers", &written.internal_servers, addresses::server),
        max_expiry: it.time("max_expiry", &written.max_expiry),
        review_after: it.time("review_after", &written.review_after),
        max_waiver,
        mailing_lists: it.patterns("mailing_lists", &written.mailing_lists).set,
        wide_groups: it.patterns("wide_groups", &written.wide_groups).set,
        wide_group_size: Some(written.wide_group_size),
        levels: written
            .levels
            .iter()
            .map(|(rule, level)| (rule.0, level.level()))
            .collect(),
        overrides: overrides(it, &written.overrides, sources),
        classes: classes(it, &written.classify),
        evidence: written.evidence,
        waivers: waivers(it, &file.waiver, max_waiver, sources),
        gaps: gaps(it, &file.gap, max_waiver, sources),
        digest: digests.policy,
        rules_digest: digests.rules,
    };
    contradictions(it, written, &policy);
    policy
}

fn contradictions(it: &mut Context<'_>, written: &Written, policy: &Policy) {
    for (word, domain) in written.partner_domains.iter().zip(&policy.partner_domains) {
        if addresses::is_beneath(domain, &policy.internal_domains) {
            let what = format!("`{domain}` is a partner's domain and the organisation's own");
            it.warning(
                &word.span(),
                &what,
                "internal too",
                "take it out of one of the two lists",
            );
        }
    }
}

fn classes(it: &mut Context<'_>, written: &[At<Classify>]) -> Classes {
    let mut given = Vec::new();
    for class in written {
        let words = class.get();
        if words.paths.is_empty()
            && words.tags.is_empty()
            && !it.taken.contains("paths")
            && !it.taken.contains("tags")
        {
            let what = format!("nothing is classified as `{}`", words.label.get());
            it.error(
                &class.span(),
                &what,
                "has neither `paths` nor `tags`",
                "say what is: paths = [\"**/HR/**\"], tags = [\"confidential\"]",
            );
        }
        let good = it.all("paths", &words.paths, |text| {
            values::path_globs(text).map(|_| text.to_owned())
        });
        let tags = it.all("tags", &words.tags, |text| Ok(text.to_owned()));
        given.push((words.label.get().clone(), good, tags));
    }
    match Classes::compile(&given) {
        Ok(classes) => classes,
        Err((_, error)) => {
            let span = written.first().map_or(0..0, At::span);
            let what = format!("`paths`: these patterns are too much together: {}", error.kind());
            it.error(&span, &what, "here", "use fewer or simpler ones");
            Classes::default()
        }
    }
}

/// The names of Microsoft's labels, by id.
pub(super) fn label_names(written: &Written) -> BTreeMap<String, String> {
    written
        .label_names
        .iter()
        .map(|(id, name)| (id.to_lowercase(), name.get().clone()))
        .collect()
}
