//! Delta tokens: opaque to clients, and good only for the drive and the `Prefer` header that they were made with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ids;

/// Where a client is in a drive's enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) drive: u64,
    /// Which preferences it was made with.
    pub(super) prefer: u8,
    pub(super) epoch: u32,
    /// When it was made, in seconds.
    pub(super) at: i64,
    pub(super) walk: Walk,
    pub(super) offset: u64,
    /// This page is one of the empty ones.
    pub(super) hole: bool,
}

/// What is enumerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    /// Everything; changes count from this entry of the log on.
    Full { log: u64 },
    /// Changes from one entry of the log to another.
    Changes { since: u64, until: u64 },
    /// What was changed after a time, and changes up to an entry of the log.
    After { time: i64, until: u64 },
}

impl Mark {
    pub(super) fn text(&self) -> String {
        let (kind, one, two) = match self.walk {
            Walk::Full { log } => (0, log, 0),
            Walk::Changes { since, until } => (1, since, until),
            Walk::After { time, until } => (2, time.cast_unsigned(), until),
        };
        let hole = u8::from(self.hole);
        let fields = format!(
            "3;{:x};{};{};{};{kind};{one};{two};{};{hole}",
            self.drive, self.prefer, self.epoch, self.at, self.offset
        );
        URL_SAFE_NO_PAD.encode(format!("{fields};{:x}", ids::hash(&fields)))
    }

    /// Reads a token; none where it is damaged.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (fields, check) = text.rsplit_once(';')?;
        if check != format!("{:x}", ids::hash(fields)) {
            return None;
        }
        let fields: Vec<&str> = fields.split(';').collect();
        let [_, drive, prefer, epoch, at, kind, one, two, offset, hole] = fields.as_slice() else {
            return None;
        };
        let (one, two) = (one.parse().ok()?, two.parse().ok()?);
        let walk = match *kind {
            "0" => Walk::Full { log: one },
            "1" => Walk::Changes {
                since: one,
                until: two,
            },
            "2" => Walk::After {
                time: one.cast_signed(),
                until: two,
            },
            _ => return None,
        };
        Some(Self {
            drive: u64::from_str_radix(drive, 16).ok()?,
            prefer: prefer.parse().ok()?,
            epoch: epoch.parse().ok()?,
            at: at.parse().ok()?,
            walk,
            offset: offset.parse().ok()?,
            hole: *hole == "1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_written_and_no_other_text_is() {
        let walks = [
            Walk::Full { log: 7 },
            Walk::Changes { since: 3, until: 9 },
            Walk::After { time: -5, until: 1 },
        ];
        for walk in walks {
            let mark = Mark {
                drive: u64::MAX,
                prefer: 15,
                epoch: 2,
                at: 1_700_000_000,
                walk,
                offset: 400,
                hole: true,
            };
            let text = mark.text();
            assert_eq!(Mark::read(&text), Some(mark));
            assert_eq!(Mark::read(&text[1..]), None);
            let mut damaged = text.clone();
            damaged.replace_range(10..11, if &text[10..11] == "A" { "B" } else { "A" });
            assert_eq!(Mark::read(&damaged), None);
        }
        assert_eq!(Mark::read("latest"), None);
    }
}
