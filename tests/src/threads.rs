//! The threads of this process (on Linux; other systems do not list them).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Numbers and names of the threads; empty if the system does not list them.
pub fn all() -> BTreeMap<u64, String> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return BTreeMap::new() };
    tasks
        .flatten()
        .filter_map(|task| {
            let number = task.file_name().to_str()?.parse().ok()?;
            // A thread can end between the listing and the reading of its name.
            let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
            Some((number, name.trim().to_string()))
        })
        .collect()
}

/// The names of threads that run now and did not `before`, after waiting up to `patience` for them to end.
///
/// A joined thread stays in the system's list for a moment after the join, hence the wait.
pub fn left_behind(before: &BTreeMap<u64, String>, patience: Duration) -> Vec<String> {
    let start = Instant::now();
    loop {
        let left: Vec<String> = all()
            .into_iter()
            .filter(|(number, _)| !before.contains_key(number))
            .map(|(_, name)| name)
            .collect();
        if left.is_empty() || start.elapsed() > patience {
            return left;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
