//! What is stored, whoever could see it, for steering.

use serde_json::{Value, json};

use super::Graph;
use super::permissions::id_of;
use super::reply::time;

impl Graph {
    /// Every permission that was given on an item itself; those of generated items only once they were changed.
    pub(crate) fn stored_permissions(&self) -> Value {
        let mut all = Vec::new();
        for drive in &self.drives {
            for (number, node) in drive.nodes() {
                all.extend(node.permissions.iter().map(|permission| {
                    json!({
                        "drive": drive.id,
                        "item": drive.id_of_number(number),
                        "path": drive.path(number),
                        "id": id_of(self, drive, permission),
                        "link": permission.file.link.as_ref().map(|link| json!({
                            "scope": link.scope,
                            "type": link.kind,
                            "password": link.password.is_some(),
                            "people": link.people,
                        })),
                        "grant": permission.file.grant,
                        "roles": permission.file.roles,
                        "expires": permission.expires.map(time),
                    })
                }));
            }
        }
        Value::Array(all)
    }

    /// The mail that was taken.
    pub(crate) fn mails(&self) -> Value {
        Value::Array(self.mails.clone())
    }

    /// How much there is of everything, and what was spent.
    pub(crate) fn summary(&self) -> Value {
        let items: u64 = self.drives.iter().map(super::tree::Drive::count).sum();
        let mut told = self.throttle.told(&self.limits);
        let counts = json!({
            "users": self.people.iter().filter(|user| !user.file.deleted).count(),
            "groups": self.groups.len(),
            "sites": self.sites.iter().filter(|site| !site.gone).count(),
            "drives": self.drives.len(),
            "items": items,
            "mails": self.mails.len(),
        });
        if let (Value::Object(told), Value::Object(counts)) = (&mut told, counts) {
            told.extend(counts);
        }
        told
    }
}
