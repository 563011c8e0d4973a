//! What is attached, opened with an ordinary tool.

use std::fs;
use std::path::Path;
use std::process::Command;

use secrecy::ExposeSecret as _;
use sharewarden::notify::attachment::{Passwords, encrypt};

use super::skipped;

/// What 7-Zip makes of an archive: whether it is whole, and what is in it; nothing where it is not installed.
pub(crate) fn opened(archive: &Path, password: &str) -> Option<(bool, Vec<u8>)> {
    let ran = ["7zz", "7z", "7za"].iter().find_map(|tool| {
        let mut command = Command::new(tool);
        command
            .args(["x", "-so", "-bd", &format!("-p{password}")])
            .arg(archive);
        command.output().ok()
    })?;
    Some((ran.status.success(), ran.stdout))
}

#[test]
fn an_ordinary_tool_opens_it_with_the_owners_password_and_not_without() {
    const NAME: &str = "Übersicht.csv";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.zip");
    let passwords = Passwords::open(&folder.path().join("attachments.key")).unwrap();
    let (own, another) = (passwords.of("anna"), passwords.of("bob"));
    let at = "2026-11-26T02:03:04Z".parse().unwrap();
    for bytes in [
        Vec::new(),
        b"a,b\r\n".to_vec(),
        vec![b'x'; 16],
        "é,ü\n".repeat(40_000).into_bytes(),
    ] {
        let archive = encrypt(NAME, at, &bytes, &own).unwrap();
        fs::write(&path, &archive).unwrap();
        let Some(with) = opened(&path, own.expose_secret()) else {
            return skipped("7-Zip is not installed, so that no archive was opened with it");
        };
        assert_eq!(with, (true, bytes.clone()));
        let (is_open, got) = opened(&path, another.expose_secret()).unwrap();
        assert!(!is_open && got.is_empty());
        if bytes.is_empty() {
            continue;
        }
        // What was changed on the way is not taken for what was sent: after the headers, the salt and the verifier.
        let mut changed = archive;
        changed[30 + NAME.len() + 11 + 16 + 2] ^= 1;
        fs::write(&path, &changed).unwrap();
        assert!(!opened(&path, own.expose_secret()).unwrap().0);
    }
}
