//! What the benchmarks share that look at the program from outside.

pub(crate) mod emulated;
pub(crate) mod ran;

use std::error::Error;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The program of this build.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sharewarden");
