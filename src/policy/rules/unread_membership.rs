//! Grants to teams, rooms and site groups whose members were not read.

use crate::model::{Level, Remedy, RuleId, ShareKind};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::people;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::UnreadMembership,
        level: Level::Info,
        title: "A grant to people who could not be listed",
        fires: "The share is granted to a team, a room or a site group whose members could not be read.",
        reason: "Whoever is in this team or room can open the share, and this audit could not see \
            who that is. There may be outsiders among them.",
        remedy: "Look at the members of the team or room and decide whether all of them should have \
            access.",
        guidance: guidance::INTENDED_ONLY,
        needs: "Nothing beyond the share itself.",
        settings: &[],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let message = "It is not known who can open this: the members of a team or room could not be read.";
    let by_kind = matches!(case.share.kind, ShareKind::Team | ShareKind::Room);
    if by_kind && case.share.recipients.is_empty() {
        return Outcome::fires(Level::Info, Remedy::Review, message);
    }
    Outcome::about(
        case.recipients(|recipient, _| people::is_unread(recipient)),
        Level::Info,
        Remedy::Review,
        message,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Principal, PrincipalClass, Share};
    use crate::policy::fixtures::{Bench, Said, group, share};

    #[test]
    fn it_fires_where_members_were_not_read() {
        let bench = Bench::of(RuleId::UnreadMembership);
        let to = |recipient| Share {
            recipients: vec![recipient],
            ..share()
        };
        let read = Principal {
            members: Some(3),
            ..Principal::new(PrincipalClass::Team, "t")
        };
        let team = Share {
            kind: ShareKind::Team,
            recipients: Vec::new(),
            ..share()
        };
        for (what, share, expected) in [
            (
                "team",
                to(Principal::new(PrincipalClass::Team, "t")),
                Said::Fires(Level::Info),
            ),
            (
                "room",
                to(Principal::new(PrincipalClass::Room, "r")),
                Said::Fires(Level::Info),
            ),
            (
                "site group",
                to(Principal::new(PrincipalClass::Site, "s")),
                Said::Fires(Level::Info),
            ),
            ("unnamed team", team, Said::Fires(Level::Info)),
            ("team that was read", to(read), Said::Quiet),
            ("group", to(group("staff")), Said::Quiet),
            ("colleague", share(), Said::Quiet),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
