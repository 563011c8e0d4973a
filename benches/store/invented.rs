//! Shares that nobody made: three of four as a Nextcloud tells them, one of four as Microsoft 365 does.

use jiff::Timestamp;
use sharewarden::model::{
    Access, Expiry, Item, ItemKind, Principal, PrincipalClass, Right, Share, ShareKind, SourceKind,
    SourceName,
};

use crate::TOGETHER;

/// How many people there are; each owns as many shares as any other.
pub(crate) const PEOPLE: u32 = 10_000;

/// Beyond all accounts: their ids of shares and files lie so far from each other.
const APART: u32 = 2 * PEOPLE;

/// A source, and what the number of its first and of its last share are.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) kind: SourceKind,
    numbers: std::ops::Range<u32>,
    make: fn(u32, u32) -> Share,
}

/// Both sources of so many shares.
pub(crate) fn parts(shares: u32) -> [Part; 2] {
    let cloud = shares / 4 * 3;
    [
        Part {
            name: "cloud",
            kind: SourceKind::Nextcloud,
            numbers: 0..cloud,
            make: of_cloud,
        },
        Part {
            name: "tenant",
            kind: SourceKind::Microsoft365,
            numbers: 0..shares - cloud,
            make: of_tenant,
        },
    ]
}

impl Part {
    /// Its shares with the scope through which each is read, as many at a time as are written together; scope by
    /// scope, as they are read.
    pub(crate) fn batches(&self) -> impl Iterator<Item = (String, Vec<Share>)> {
        let each = (self.numbers.end / PEOPLE).max(1);
        let step = each.min(TOGETHER);
        let starts = (0..self.numbers.end.div_ceil(each))
            .flat_map(move |scope| (0..each.div_ceil(step)).map(move |page| scope * each + page * step));
        starts
            .filter(|start| *start < self.numbers.end)
            .map(move |start| {
                let end = (start / each * each + each)
                    .min(start + step)
                    .min(self.numbers.end);
                let shares: Vec<Share> = (start..end).map(|number| (self.make)(number, each)).collect();
                let of = shares.first();
                let scope = of.map(|share| share.item.drive.as_ref().unwrap_or(&share.owner.id).clone());
                (scope.unwrap_or_default(), shares)
            })
    }
}

/// An account's shares were made at any time: their ids lie far from each other.
fn of_cloud(number: u32, each: u32) -> Share {
    let (account, place) = (number / each, number % each);
    let people = place % 4 == 3;
    // Each fifth is one more share of the same item.
    let item = number - u32::from(place % 5 == 4);
    Share {
        recipients: people.then(|| person(number % PEOPLE)).into_iter().collect(),
        link: (!people).then(|| "https://cloud.example.org/s/••••".to_owned()),
        password: Some(number.is_multiple_of(3)),
        ..share(
            "cloud",
            (place * APART + account + 1).to_string(),
            Item {
                path: format!("/Projects/Group {:02}/Invented document {item}.docx", item % 40),
                ..file((item % each * APART + account + 40_000_000).to_string())
            },
            person(account),
            if people { ShareKind::User } else { ShareKind::Link },
        )
    }
}

/// A drive is enumerated item by item.
fn of_tenant(number: u32, each: u32) -> Share {
    let account = number / each;
    let item = number - number % 3 % 2;
    let drive = format!("b!{}", letters(u64::from(account), 64));
    let id = format!("01{}", letters(u64::from(item) << 1, 32).to_uppercase());
    let anonymous = number.is_multiple_of(2);
    Share {
        anonymous,
        recipients: (!anonymous)
            .then(|| [person(number % PEOPLE), person(number / 2 % PEOPLE)])
            .into_iter()
            .flatten()
            .collect(),
        created_at: None,
        link: Some("https://contoso-my.sharepoint.com/••••".to_owned()),
        password: Some(false),
        ..share(
            "tenant",
            format!("{drive}/{id}/{}", letters(u64::from(number) << 1 | 1, 48)),
            Item {
                path: format!("/Documents/Group {:02}/Invented document {item}.docx", item % 40),
                drive: Some(drive),
                ..file(id)
            },
            person(account),
            ShareKind::Link,
        )
    }
}

fn share(source: &str, id: String, item: Item, owner: Principal, kind: ShareKind) -> Share {
    Share {
        source: SourceName::new(source),
        id,
        kind,
        anonymous: kind == ShareKind::Link,
        shared_by: Some(owner.clone()),
        item,
        owner,
        recipients: Vec::new(),
        opened_by: Vec::new(),
        access: Access::of(&[Right::View, Right::Download]),
        password: None,
        expires: Expiry::Never,
        created_at: Some(Timestamp::UNIX_EPOCH),
        inherited: false,
        label: None,
        link: None,
        unknown: Vec::new(),
    }
}

fn file(id: String) -> Item {
    Item {
        size: Some(u64::from(id.bytes().map(u32::from).sum::<u32>()) * 1_000),
        id,
        path: String::new(),
        path_is_owners: true,
        kind: ItemKind::File,
        files_beneath: None,
        drive: None,
        labels: None,
    }
}

fn person(number: u32) -> Principal {
    Principal::new(PrincipalClass::Account, format!("person-{number:05}@example.org"))
}

/// As many letters as are asked for, the same for the same number and no others.
fn letters(number: u64, count: usize) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..count)
        .map(|_| {
            state ^= state >> 29;
            state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(number | 1);
            char::from(LETTERS[usize::try_from(state >> 59).unwrap_or_default()])
        })
        .collect()
}
