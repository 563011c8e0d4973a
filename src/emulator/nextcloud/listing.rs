//! Listing shares: which ones an account gets to see, in which order.
//!
//! Listing deletes shares that are due, as the server does. Long listings are written in pieces while they are sent.

use super::Nextcloud;
use super::ocs::{self, Call, Format, Found, Outcome, Refusal};
use super::shares::{DECK, FEDERATED, FEDERATED_GROUP, GROUP, LINK, MAIL, ROOM, Share, TEAM, USER};
use super::shown::Viewer;
use super::tree::Tree;

/// A listing that is still to be written.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    viewer: Viewer,
    ids: Vec<u64>,
    format: Format,
    /// Whether a share was written already.
    begun: bool,
}

const PIECE: usize = 500;

impl Listing {
    /// The number of pieces; at least one.
    pub(crate) fn pieces(&self) -> usize {
        self.ids.len().div_ceil(PIECE).max(1)
    }

    /// Writes one piece, the first with what comes before it, the last with what comes after.
    pub(crate) fn piece(&mut self, server: &Nextcloud, number: usize) -> String {
        let mut out = String::new();
        if number == 0 {
            out = ocs::head(self.format, 200, "OK");
            out.push_str(match (self.format.json, self.ids.is_empty()) {
                (true, _) => "[",
                (false, true) => " <data/>\n",
                (false, false) => " <data>\n",
            });
        }
        for id in self.ids.iter().skip(number * PIECE).take(PIECE) {
            // A share may vanish while the answer is on its way.
            let Some(tree) = server
                .shares
                .get(*id)
                .and_then(|share| server.share_tree(share, &self.viewer))
            else {
                continue;
            };
            if self.format.json {
                if self.begun {
                    out.push(',');
                }
                tree.json(&mut out);
            } else {
                tree.xml("element", 2, &mut out);
            }
            self.begun = true;
        }
        if number + 1 == self.pieces() {
            out.push_str(match (self.format.json, self.ids.is_empty()) {
                (true, _) => "]",
                (false, true) => "",
                (false, false) => " </data>\n",
            });
            out.push_str(ocs::tail(self.format));
        }
        out
    }
}

/// `GET /shares`.
pub(crate) fn list(server: &mut Nextcloud, call: &Call<'_>, account: &str) -> Outcome {
    let viewer = server.viewer(call, account);
    let folder = match call.request.query("path").filter(|path| !path.is_empty()) {
        None => None,
        Some(path) => Some(
            server
                .locate(account, &path, &viewer.mounts)
                .ok_or_else(|| Refusal::new(404, call.say("Wrong path, file/folder does not exist")))?,
        ),
    };
    let reshares = call.request.flag("reshares");
    let ids: Vec<u64> = if call.request.flag("shared_with_me") {
        let received = server.received(account, call.seconds());
        let wanted = received
            .into_iter()
            .filter(|share| folder.is_none() || share.file == folder);
        wanted.map(|share| share.id).collect()
    } else if call.request.flag("subfiles") {
        server.in_folder(folder, call, &viewer)?
    } else if let Some(file) = folder {
        let all = reshares && server.may_share(account, file, &viewer.mounts);
        let on_file = server.shares.on_file(file);
        on_file
            .filter(|share| all || &*share.initiator == account)
            .map(|share| share.id)
            .collect()
    } else {
        let made = server.shares.made_by(account).map(|share| share.id);
        let mut ids: Vec<u64> = made.collect();
        if reshares {
            ids.extend(
                server
                    .shares
                    .owned_by(account)
                    .filter(|share| &*share.initiator != account)
                    .map(|s| s.id),
            );
        }
        ids
    };
    let incoming = call.request.flag("shared_with_me");
    let ids = server.presentable(ids, &viewer, call.seconds(), incoming);
    Ok(Found::Shares(Box::new(Listing {
        viewer,
        ids,
        format: call.format,
        begun: false,
    })))
}

/// `GET /shares/inherited`: shares on the folders above a path.
pub(crate) fn inherited(server: &mut Nextcloud, call: &Call<'_>, account: &str) -> Outcome {
    let viewer = server.viewer(call, account);
    let path = call.request.query("path").unwrap_or_default();
    let missing = || Refusal::new(404, call.say("Wrong path, file/folder does not exist"));
    let file = server
        .locate(account, &path, &viewer.mounts)
        .ok_or_else(missing)?;
    let above: Vec<u64> = server.files.upwards(file).skip(1).map(|file| file.id).collect();
    let mut found = Vec::new();
    for folder in above {
        let on_file: Vec<u64> = server
            .shares
            .on_file(folder)
            .filter(|s| s.belongs_to(account))
            .map(|s| s.id)
            .collect();
        for id in server.presentable(on_file, &viewer, call.seconds(), false) {
            if let Some(mut tree) = server
                .shares
                .get(id)
                .and_then(|share| server.share_tree(share, &viewer))
            {
                tree.set("via_fileid", folder.into());
                tree.set("via_path", server.files.path(folder).into());
                found.push(tree);
            }
        }
    }
    Ok(Found::Data(Tree::List(found)))
}

/// `GET /shares/{id}`: a list of one.
pub(crate) fn one(server: &mut Nextcloud, call: &Call<'_>, account: &str, id: &str) -> Outcome {
    let missing = || Refusal::new(404, call.say("Wrong share ID, share does not exist"));
    let share = server.existing(id, call.seconds()).ok_or_else(missing)?;
    let viewer = server.viewer(call, account);
    if !server.may_read(&share, &viewer) {
        return Err(missing());
    }
    if let Some(tree) = server.share_tree(&share, &viewer) {
        return Ok(Found::Data(Tree::List(vec![tree])));
    }
    // Where the account does not see the file, the server guesses it by its name, and shows another one of that name. Over
    // a share with a mail address, which has no such name, it fails.
    if share.kind == MAIL {
        return Err(Refusal::new(996, "Internal Server Error\n"));
    }
    let guessed = Share {
        file: server.locate(account, &share.target, &viewer.mounts),
        ..share
    };
    let tree = server.share_tree(&guessed, &viewer).ok_or_else(missing)?;
    Ok(Found::Data(Tree::List(vec![tree])))
}

impl Nextcloud {
    /// The share of this id, unless it is due: then it is deleted by being asked for.
    pub(crate) fn existing(&mut self, id: &str, now: i64) -> Option<Share> {
        let id: u64 = id.parse().ok()?;
        if self.shares.get(id)?.is_due(now) {
            self.delete_share(id, now);
            return None;
        }
        self.shares.get(id).cloned()
    }

    /// Deletes the due ones, drops those whose file the viewer cannot see, and sorts as the server does.
    fn presentable(&mut self, ids: Vec<u64>, viewer: &Viewer, now: i64, incoming: bool) -> Vec<u64> {
        let mut kept: Vec<(usize, u64)> = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(share) = self.shares.get(id) else {
                continue;
            };
            if share.is_due(now) {
                self.delete_share(id, now);
                continue;
            }
            let to_himself =
                share.kind == USER && share.recipient.as_deref() == Some(viewer.account.as_str());
            let visible = share
                .file
                .is_some_and(|file| self.seen(&viewer.account, file, &viewer.mounts).is_some());
            if visible && (incoming || !to_himself) {
                kept.push((rank(share.kind), id));
            }
        }
        kept.sort_unstable();
        kept.into_iter().map(|(_, id)| id).collect()
    }

    fn in_folder(&self, folder: Option<u64>, call: &Call<'_>, viewer: &Viewer) -> Result<Vec<u64>, Refusal> {
        let Some(folder) = folder
            .and_then(|id| self.files.get(id))
            .filter(|file| file.folder)
        else {
            return Err(Refusal::new(400, call.say("Not a directory")));
        };
        let mine = |share: &&Share| share.belongs_to(&viewer.account);
        let children = self.inside(&viewer.account, folder, &viewer.mounts);
        Ok(children
            .iter()
            .flat_map(|file| self.shares.on_file(file.id).filter(mine))
            .map(|share| share.id)
            .collect())
    }

    /// Whether an account may read a share: his own, given to him, or on a file that he may share further.
    pub(crate) fn may_read(&self, share: &Share, viewer: &Viewer) -> bool {
        let account = viewer.account.as_str();
        let given = match (share.kind, share.recipient.as_deref()) {
            (USER, Some(recipient)) => recipient == account,
            (GROUP, Some(recipient)) => self.in_group(account, recipient),
            (ROOM, Some(recipient)) => self
                .rooms
                .get(recipient)
                .is_some_and(|room| room.members.iter().any(|member| member == account)),
            (TEAM, _) => true,
            _ => false,
        };
        given
            || share.belongs_to(account)
            || share
                .file
                .is_some_and(|file| self.may_share(account, file, &viewer.mounts))
    }
}

/// The place of a kind in a listing.
fn rank(kind: i64) -> usize {
    let order = [
        USER,
        GROUP,
        LINK,
        MAIL,
        TEAM,
        ROOM,
        DECK,
        15,
        FEDERATED,
        FEDERATED_GROUP,
    ];
    order
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(order.len())
}
