//! The command `sharewarden`.

fn main() {}
