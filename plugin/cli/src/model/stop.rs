//! What stops a fetch: Ctrl-C, and a caller that closes standard input.

use mixing_buddy_core::CancelFlag;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code after a second Ctrl-C, as shells give it for the signal.
const INTERRUPTED: i32 = 130;

/// A flag that the first Ctrl-C raises; a second one ends the program. With `by_caller`, the end of standard input raises it too,
/// if that is a pipe or a socket: who has none, or an empty one such as `/dev/null`, wants no way to stop.
pub fn watch(by_caller: bool) -> CancelFlag {
    let flag = CancelFlag::new();
    let (raised, pressed) = (flag.clone(), AtomicBool::new(false));
    // Where no handler can be set, Ctrl-C ends the program as ever, and what is fetched stays.
    let _without = ctrlc::set_handler(move || {
        if pressed.swap(true, Ordering::AcqRel) {
            std::process::exit(INTERRUPTED);
        }
        raised.cancel();
    });
    if by_caller && is_held_by_caller() {
        let raised = flag.clone();
        std::thread::spawn(move || {
            let mut input = std::io::stdin().lock();
            let mut unused = [0; 256];
            while input.read(&mut unused).is_ok_and(|count| count > 0) {}
            raised.cancel();
        });
    }
    flag
}

#[cfg(unix)]
fn is_held_by_caller() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt;
    let input = std::io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let kind = input.and_then(|file| file.metadata()).map(|about| about.file_type());
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
}

#[cfg(not(unix))]
fn is_held_by_caller() -> bool {
    use std::io::IsTerminal;
    !std::io::stdin().is_terminal()
}
