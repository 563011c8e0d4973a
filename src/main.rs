//! The command `sharewarden`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sharewarden::cli::main()
}
