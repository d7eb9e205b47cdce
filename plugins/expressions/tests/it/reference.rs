//! The page in the docs is written from the tables: `docs/fields/reference.md`, which is
//! rewritten if `POOLHOOK_BLESS` is set.

use std::{env, fs};

use poolhook_expressions::compiler::reference;

#[test]
fn the_page_is_of_this_version() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/fields/reference.md"
    );
    let page = reference();
    if env::var_os("POOLHOOK_BLESS").is_some() {
        fs::write(file, &page).unwrap();
    }
    assert!(
        fs::read_to_string(file).unwrap() == page,
        "POOLHOOK_BLESS=1 cargo test reference"
    );
}
