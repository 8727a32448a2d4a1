//! Licences: our own, those of what ships with the program, and those of the libraries that are built into it.

use super::{Content, Entry};
use crate::Result;
use crate::cargo::{cargo, root};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Files of the repository, and their names in the folder `licences`.
const OWN: [(&str, &str); 6] = [
    ("LICENSE", "LICENSE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("assets/NOTICE", "NOTICE"),
    ("assets/fonts/OFL.txt", "fonts-OFL.txt"),
    ("assets/separator/LICENSE", "separator-LICENSE"),
];
/// What names of licence files begin with.
const BEGINNINGS: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];
/// The packages that ship.
const SHIPPED: [&str; 2] = ["mixing-buddy", "mixing-buddy-cli"];

/// The folder `licences`.
pub(super) fn entries() -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = OWN
        .into_iter()
        .map(|(path, name)| Entry {
            path: format!("licences/{name}"),
            content: Content::File(root().join(path)),
            is_executable: false,
        })
        .collect();
    entries.push(Entry::text("licences/LIBRARIES.txt", libraries()?));
    Ok(entries)
}

/// The libraries that are built in, with the texts of their licences, each text once.
fn libraries() -> Result<String> {
    let metadata = metadata()?;
    let packages: BTreeMap<&str, &Value> = list(&metadata["packages"])
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"]["nodes"])
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let mut wanted: Vec<&str> = packages
        .iter()
        .filter(|(_, package)| package["name"].as_str().is_some_and(|name| SHIPPED.contains(&name)))
        .map(|(id, _)| *id)
        .collect();
    let mut built_in = BTreeSet::new();
    while let Some(id) = wanted.pop() {
        if !built_in.insert(id) {
            continue;
        }
        for dependency in nodes.get(id).map_or(&[][..], |node| list(&node["deps"])) {
            // Those of builds and tests are not built in.
            let is_normal = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            wanted.extend(dependency["pkg"].as_str().filter(|_| is_normal));
        }
    }
    let mut table = String::new();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let own = root().join("plugin/vendor");
    for package in built_in.iter().filter_map(|id| packages.get(id)) {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let manifest = Path::new(text("manifest_path"));
        // Our own crates, but not the libraries that we patch.
        if package["source"].is_null() && !manifest.starts_with(&own) {
            continue;
        }
        let name = format!("{} {}", text("name"), text("version"));
        let _ = writeln!(table, "{name}: {}  {}", text("license"), text("repository"));
        for text in manifest.parent().map_or(Vec::new(), texts_in) {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let mut whole = format!(
        "Libraries that are built into MixingBuddy, with their licences. Where a licence gives a choice, any of them.\n\n{table}"
    );
    for (text, names) in texts {
        let _ = write!(whole, "\n{}\n{}\n\n{}\n", "=".repeat(80), names.join(", "), text.trim_end());
    }
    Ok(whole)
}

fn metadata() -> Result<Value> {
    let host = format!("{}-", std::env::consts::ARCH);
    let mut command = cargo(&["metadata", "--format-version", "1", "--locked"]);
    // Only what this platform needs. The compiler knows its own name for it.
    let rustc = std::process::Command::new("rustc").arg("-vV").output();
    let triple = rustc.ok().and_then(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find_map(|line| line.strip_prefix("host: ").map(str::to_string))
    });
    if let Some(triple) = triple.filter(|triple| triple.starts_with(&host)) {
        command.args(["--filter-platform", &triple]);
    }
    let output = command.output().map_err(|error| format!("cargo metadata cannot be started: {error}."))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}."))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The licence files of a crate.
fn texts_in(folder: &Path) -> Vec<String> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    paths.retain(|path: &std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        path.is_file() && BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
    });
    paths.sort();
    // Line ends differ between crates.
    paths
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .map(|text| text.replace('\r', ""))
        .collect()
}
