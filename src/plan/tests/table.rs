use proptest::prelude::*;

use super::{action, file::plan};
use crate::plan::{Action, ActionKind, Unproposed, Why, table};
use crate::report::Style;

fn drawn(width: u16, actions: &[Action], unproposed: &[Unproposed]) -> String {
    let mut out = Vec::new();
    let style = Style {
        color: false,
        width: Some(width),
        ..Style::default()
    };
    table::write(style, actions, unproposed, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn not(share: &str, why: Why) -> Unproposed {
    let own = action(share);
    Unproposed {
        finding: own.finding,
        source: own.source,
        share: own.share,
        item_path: format!("/in/{share}"),
        owner: own.owner,
        action: ActionKind::Revoke,
        why,
    }
}

#[test]
fn people_see_what_is_proposed_what_is_not_and_sums() {
    let mut actions = plan().actions;
    actions[3].also_ends = vec!["20".into(), "21".into()];
    let mut unproposed: Vec<_> = ["1", "2", "3", "4", "5"]
        .map(|share| not(share, Why::FileDrop))
        .to_vec();
    unproposed.insert(2, not("9", Why::Inherited));
    insta::assert_snapshot!(drawn(110, &actions, &unproposed));
}

#[test]
fn nothing_to_do_is_said() {
    insta::assert_snapshot!(drawn(80, &[], &[]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn hostile_names_stay_visible(name in ".{0,50}", width in 0_u16..300) {
        let mut own = action("1");
        own.item_path = format!("\u{1b}[2J\n{name}\u{202e}");
        own.owner = name.clone();
        own.value = Some(name.clone());
        let mut other = not("2", Why::Collateral);
        other.item_path = format!("{name}\r");
        other.owner = format!("\t{name}");
        let text = drawn(width, &[own], &[other]);
        prop_assert!(!text.lines().flat_map(str::chars).any(crate::report::text::is_hidden), "{text}");
    }
}
