//! Invented accounts and shares in large numbers, for measuring: always the same for the same numbers.

use std::sync::Arc;

use jiff::Timestamp;

use super::Nextcloud;
use super::account::{Account, token};
use super::build::days_before;
use super::shares::{GROUP, LINK, MAIL, Share, USER};
use crate::emulator::world::file::GenerateFile;

const DAY: i64 = 86_400;

impl Nextcloud {
    /// Adds what the numbers ask for.
    pub(super) fn generate(&mut self, numbers: &GenerateFile, now: Timestamp) {
        self.groups
            .entry("everybody".into())
            .or_insert_with(|| "Everybody".into());
        let made: Vec<Arc<str>> = (1..=numbers.accounts)
            .map(|number| self.invent_account(&format!("user{number:05}"), now))
            .collect();
        for (index, owner) in made.iter().enumerate() {
            let neighbour = made
                .get((index + 1) % made.len())
                .cloned()
                .unwrap_or_else(|| owner.clone());
            self.invent_shares(owner, &neighbour, numbers.shares_each, numbers.files_each, now);
        }
        for owner in made
            .iter()
            .take(usize::try_from(numbers.open_folders).unwrap_or(usize::MAX))
        {
            self.open_folder(owner, now);
        }
        for (id, count) in &numbers.heavy {
            let owner = match self.accounts.get(id) {
                Some(account) => account.id.clone(),
                None => self.invent_account(id, now),
            };
            let neighbour = made.first().cloned().unwrap_or_else(|| owner.clone());
            self.invent_shares(&owner, &neighbour, *count, numbers.files_each, now);
        }
    }

    fn invent_account(&mut self, id: &str, now: Timestamp) -> Arc<str> {
        let shared: Arc<str> = id.into();
        let account = Account {
            id: shared.clone(),
            name: format!("Invented {id}"),
            email: Some(format!("{id}@example.org")),
            enabled: true,
            groups: vec!["everybody".into()],
            subadmin: Vec::new(),
            manager: None,
            first_login: days_before(now, 300),
            last_login: days_before(now, 1),
            language: "en".into(),
            timezone: String::new(),
            backend: "Database".into(),
            password: None,
            app_passwords: Vec::new(),
            quota: None,
            details: true,
        };
        self.accounts.insert(id.to_owned(), account);
        self.files.home(&shared, None, days_before(now, 300));
        shared
    }

    /// A folder of ten files that is shared by a link.
    fn open_folder(&mut self, owner: &Arc<str>, now: Timestamp) {
        let mtime = days_before(now, 60);
        for number in 0..10 {
            self.files
                .add(owner, &format!("/Open/page-{number}.pdf"), None, mtime);
        }
        let folder = self.files.add(owner, "/Open/", None, mtime);
        let share = Share {
            file: Some(folder),
            target: "/Open".to_owned(),
            ..link(self.shares.free_id(), owner, now)
        };
        self.shares.insert(share);
    }

    fn invent_shares(
        &mut self,
        owner: &Arc<str>,
        neighbour: &Arc<str>,
        count: u32,
        files: Option<u32>,
        now: Timestamp,
    ) {
        let files = files.unwrap_or(count.min(1000)).max(1);
        let mtime = days_before(now, 60);
        let ids: Vec<u64> = (0..files.min(count))
            .map(|number| {
                let id = self
                    .files
                    .add(owner, &format!("/Work/report-{number:05}.pdf"), None, mtime);
                if let Some(file) = self.files.get_mut(id) {
                    file.size = 10_000 + u64::from(number);
                }
                id
            })
            .collect();
        for number in 0..count {
            let id = self.shares.free_id();
            let file = ids.get(usize::try_from(number % files).unwrap_or(0)).copied();
            let step = i64::from(number % 97);
            let (kind, recipient) = match number % 5 {
                0..=2 => (LINK, None),
                3 if owner != neighbour => (USER, Some(neighbour.to_string())),
                3 => (GROUP, Some("everybody".to_owned())),
                _ => (MAIL, Some(format!("guest{number}@partner.example.net"))),
            };
            let name = file
                .and_then(|id| self.files.get(id))
                .map(|file| file.name.clone())
                .unwrap_or_default();
            self.shares.insert(Share {
                kind,
                file,
                recipient,
                permissions: if kind == USER { 1 } else { 17 },
                expires: (number % 2 == 0).then(|| (now.as_second() / DAY + 10 + step) * DAY),
                created: days_before(now, 20 + 3 * step),
                token: matches!(kind, LINK | MAIL).then(|| token(&format!("share {id}"), 15)),
                target: format!("/{name}"),
                mail_sent: kind == MAIL,
                ..link(id, owner, now)
            });
        }
    }
}

/// A link of an owner's that never ends and that nothing protects.
fn link(id: u64, owner: &Arc<str>, now: Timestamp) -> Share {
    Share {
        id,
        kind: LINK,
        file: None,
        owner: owner.clone(),
        initiator: owner.clone(),
        recipient: None,
        recipient_name: None,
        permissions: 17,
        password: None,
        expires: None,
        label: String::new(),
        note: String::new(),
        created: days_before(now, 20),
        token: Some(token(&format!("share {id}"), 15)),
        hide_download: false,
        attributes: None,
        target: String::new(),
        mail_sent: false,
        hidden_for: std::collections::BTreeSet::new(),
        downloads: Vec::new(),
        download_limit: None,
        raw: serde_json::Map::new(),
    }
}
