//! Teams: the list of those an account belongs to, and their members.

use super::Nextcloud;
use super::ocs::{Call, Found, Outcome, Refusal};
use super::tree::{Tree, map};
use crate::emulator::world::file::CircleFile;

/// `GET /apps/circles/circles…`.
pub(crate) fn route(server: &Nextcloud, call: &Call<'_>, rest: &[&str]) -> Outcome {
    let account = call.account()?;
    if !server.has_app("circles") {
        return Err(Refusal::new(998, ""));
    }
    let mine = |team: &&CircleFile| team.members.contains(&account);
    match rest {
        ["circles"] => {
            let found = server
                .teams
                .values()
                .filter(mine)
                .map(|team| server.team_tree(team))
                .collect();
            Ok(Found::Data(Tree::List(found)))
        }
        ["circles", id, more @ ..] => {
            let team = server
                .teams
                .get(*id)
                .filter(mine)
                .ok_or_else(|| Refusal::new(404, "Team not found"))?;
            match more {
                [] => Ok(Found::Data(server.team_tree(team))),
                ["members"] => {
                    let members = team
                        .members
                        .iter()
                        .map(|member| server.member_tree(team, member))
                        .collect();
                    Ok(Found::Data(Tree::List(members)))
                }
                _ => Err(Refusal::new(998, "")),
            }
        }
        _ => Err(Refusal::new(998, "")),
    }
}

impl Nextcloud {
    fn team_tree(&self, team: &CircleFile) -> Tree {
        let owner = team.owner.as_deref().map(|owner| self.member_tree(team, owner));
        map([
            ("id", team.id.as_str().into()),
            ("name", team.name.as_str().into()),
            ("displayName", team.name.as_str().into()),
            ("sanitizedName", team.name.as_str().into()),
            ("source", 16_i64.into()),
            ("population", team.members.len().into()),
            ("config", 0_i64.into()),
            ("description", "".into()),
            ("owner", owner.unwrap_or(Tree::Null)),
        ])
    }

    fn member_tree(&self, team: &CircleFile, member: &str) -> Tree {
        let level = if team.owner.as_deref() == Some(member) {
            9_i64
        } else {
            1
        };
        map([
            ("circleId", team.id.as_str().into()),
            ("userId", member.into()),
            ("userType", 1_i64.into()),
            ("level", level.into()),
            ("status", "Member".into()),
            ("displayName", self.name_of(member).into()),
        ])
    }
}
