//! Traces of use: the activity entries of link downloads, and download limits.

use super::Nextcloud;
use super::ocs::{Call, Found, Outcome, Refusal};
use super::tree::{Tree, map};

/// `GET /apps/activity/api/v2/activity/{all,filter}`.
pub(crate) fn route(server: &Nextcloud, call: &Call<'_>, rest: &[&str]) -> Outcome {
    let account = call.account()?;
    if !server.has_app("activity") {
        return Err(Refusal::new(998, ""));
    }
    let number = |name: &str| {
        call.request
            .query(name)
            .and_then(|value| value.parse::<u64>().ok())
    };
    let file = match rest {
        ["all"] => None,
        ["filter"] => number("object_id"),
        _ => return Err(Refusal::new(998, "")),
    };
    let owned = server
        .shares
        .owned_by(&account)
        .filter(|share| file.is_none() || share.file == file);
    let mut uses: Vec<(i64, u64)> = owned
        .flat_map(|share| share.downloads.iter().map(|at| (*at, share.file.unwrap_or(0))))
        .collect();
    uses.sort_unstable_by_key(|use_| std::cmp::Reverse(*use_));
    uses.truncate(
        number("limit")
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(50),
    );
    let entries = uses
        .iter()
        .enumerate()
        .map(|(index, (at, file))| server.entry(index, *at, *file, &account));
    Ok(Found::Data(Tree::List(entries.collect())))
}

/// `GET /apps/files_downloadlimit/api/v1/{token}/limit`.
pub(crate) fn download_limit(server: &Nextcloud, call: &Call<'_>, token: &str) -> Outcome {
    let account = call.account()?;
    let share = server
        .shares
        .by_token(token)
        .filter(|share| share.belongs_to(&account));
    let share = share.ok_or_else(|| Refusal::new(404, ""))?;
    let count = share.download_limit.map(|_| Tree::from(share.downloads.len()));
    Ok(Found::Data(map([
        ("limit", share.download_limit.into()),
        ("count", count.unwrap_or(Tree::Null)),
    ])))
}

impl Nextcloud {
    fn entry(&self, index: usize, at: i64, file: u64, account: &str) -> Tree {
        let path = self.files.path(file);
        let name = path.rsplit('/').next().unwrap_or_default();
        let time = jiff::Timestamp::from_second(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let rich = map([
            (
                "file",
                map([
                    ("type", "file".into()),
                    ("id", file.to_string().into()),
                    ("name", name.into()),
                    ("path", path.trim_start_matches('/').into()),
                ]),
            ),
            (
                "remote-address-hash",
                map([
                    ("type", "highlight".into()),
                    ("id", "b7e2c9d0".into()),
                    ("name", "b7e2c9d0".into()),
                ]),
            ),
        ]);
        map([
            ("activity_id", (index + 1).into()),
            ("app", "files_sharing".into()),
            ("type", "public_links".into()),
            ("user", account.into()),
            ("subject", "Downloaded via public link".into()),
            (
                "subject_rich",
                Tree::List(vec!["Downloaded via public link".into(), rich]),
            ),
            ("message", "".into()),
            ("object_type", "files".into()),
            ("object_id", file.into()),
            ("object_name", path.into()),
            (
                "datetime",
                time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string().into(),
            ),
        ])
    }
}
