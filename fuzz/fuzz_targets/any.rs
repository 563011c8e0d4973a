#![no_main]
//! Whichever of the targets the environment names.

use std::sync::LazyLock;

use sharewarden::fuzzing::{Body, TARGETS};

static BODY: LazyLock<Body> = LazyLock::new(|| {
    let name = std::env::var("FUZZ").unwrap_or_default();
    let known = TARGETS.iter().find(|(own, _)| *own == name);
    known.unwrap_or_else(|| panic!("no target `{name}`")).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| BODY(data));
