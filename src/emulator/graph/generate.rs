//! Invented people with filled drives, for measuring: always the same for the same numbers, and kept as numbers only.

use jiff::Timestamp;

use super::Graph;
use super::stock::Stock;
use crate::emulator::world::microsoft::{GenerateFile, UserFile};

impl Graph {
    /// Adds what the numbers ask for.
    pub(super) fn generate(&mut self, numbers: &GenerateFile, now: Timestamp) {
        let upn = |number: u32| format!("user{number:05}@{}", self.tenant.domain);
        let mut wanted: Vec<(String, u32)> = (1..=numbers.drives)
            .map(|number| (upn(number), numbers.items_each))
            .collect();
        wanted.extend(numbers.heavy.clone());
        let names: Vec<String> = wanted.iter().map(|(upn, _)| upn.clone()).collect();
        for (index, (upn, items)) in wanted.into_iter().enumerate() {
            let neighbour = names.get((index + 1) % names.len()).cloned().unwrap_or_default();
            self.invent(&upn, items, neighbour, numbers, now);
        }
    }

    fn invent(&mut self, upn: &str, items: u32, neighbour: String, numbers: &GenerateFile, now: Timestamp) {
        let file = UserFile {
            upn: upn.to_owned(),
            id: None,
            name: Some(format!("Invented {}", upn.split('@').next().unwrap_or_default())),
            mail: None,
            guest: false,
            enabled: true,
            deleted: false,
            drive: None,
            language: None,
            manager: None,
            items: Vec::new(),
        };
        let known = self.people.find(upn);
        let user = known.or_else(|| self.add_user(&file, "generate", now).ok());
        let drive = user.and_then(|user| self.people.get(user)?.drive);
        let Some(drive) = drive.and_then(|drive| self.drives.get_mut(drive)) else {
            return;
        };
        // What was written by hand has its numbers already.
        if drive.end() > 1 {
            return;
        }
        let items = u64::from(items);
        let percent = |share: u32| items * u64::from(share.min(100)) / 100;
        let roots = numbers
            .roots_each
            .map_or_else(|| percent(numbers.roots_percent), u64::from);
        drive.fill(Stock {
            items,
            folders: percent(numbers.folders_percent),
            roots: roots.min(items),
            links: numbers.links_each,
            grants: numbers.grants_each,
            neighbour,
        });
    }
}
