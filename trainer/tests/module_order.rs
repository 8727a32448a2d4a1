//! The modules of the trainer use each other in one direction.

use std::path::{Path, PathBuf};

/// The order of use, as in the documentation of the crate: each module may use those before it.
const ORDER: [&str; 10] = [
    "protocol",
    "collections",
    "text",
    "mixing",
    "synthesis",
    "oracle",
    "evaluation",
    "weights",
    "train",
    "cli",
];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(dir).expect("a folder of sources").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn no_module_uses_one_that_comes_after_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (at, module) in ORDER.iter().enumerate() {
        for file in sources(&src.join(module)) {
            let text = std::fs::read_to_string(&file).expect("a source is text");
            for later in &ORDER[at + 1..] {
                let is_used = text.contains(&format!("crate::{later}::"));
                assert!(!is_used, "{} uses {later}, which comes after {module}", file.display());
            }
        }
    }
}
