//! Who stops a fetch, who waits for one, and where the disk ends.

use super::computer::{Computer, Said};
use super::fetch::content;
use super::hub::{Answer, COMMIT, FakeHub, NAME};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::FromRawFd;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A hub that needs about two seconds for its file.
fn slow_hub() -> FakeHub {
    FakeHub::changed(content(400_000), |asked, _, answer| match asked.is_content {
        true => Answer { drip: Some((10_000, Duration::from_millis(50))), ..answer },
        false => answer,
    })
}

/// Waits until a fetch has some bytes on the disk.
fn wait_for_bytes(computer: &Computer, content: &[u8]) {
    let started = Instant::now();
    while !std::fs::metadata(computer.part(content)).is_ok_and(|about| about.len() > 0) {
        assert!(started.elapsed() < Duration::from_secs(30), "nothing arrives");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What a stopped fetch leaves: a true beginning of the file. The next fetch goes on behind it.
fn check_kept(computer: &Computer, hub: &FakeHub) {
    let kept = std::fs::read(computer.part(&hub.content)).unwrap();
    assert!(!kept.is_empty() && kept.len() < hub.content.len() && hub.content.starts_with(&kept));
    computer.fetch().worked();
    assert_eq!(hub.starts(), [0, kept.len()]);
    assert_eq!(std::fs::read(computer.pointer(COMMIT)).unwrap(), hub.content);
}

fn interrupt(child: &Child) {
    // SAFETY: sends a signal to a child that was not waited for, so its number is still its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
}

#[test]
fn control_c_keeps_what_arrived_and_says_how_to_go_on() {
    let hub = slow_hub();
    let computer = Computer::new(&hub);
    let child = computer.command(&["fetch", NAME, "--yes"]).spawn().unwrap();
    wait_for_bytes(&computer, &hub.content);
    interrupt(&child);
    let stopped = Instant::now();
    let said = Said::of(&child.wait_with_output().unwrap());
    assert!(stopped.elapsed() < Duration::from_secs(1), "{:?}", stopped.elapsed());
    said.refused(&["stopped", "of 400 kB are kept", "goes on from there"]);
    check_kept(&computer, &hub);
}

#[test]
fn a_silent_server_delays_no_stop() {
    let hub = FakeHub::changed(content(400_000), |asked, _, answer| match asked.is_content {
        true => Answer { drip: Some((10_000, Duration::from_secs(60))), ..answer },
        false => answer,
    });
    let computer = Computer::new(&hub);
    let child = computer.command(&["fetch", NAME, "--yes"]).spawn().unwrap();
    wait_for_bytes(&computer, &hub.content);
    interrupt(&child);
    let stopped = Instant::now();
    Said::of(&child.wait_with_output().unwrap()).refused(&["stopped"]);
    assert!(stopped.elapsed() < Duration::from_secs(1), "{:?}", stopped.elapsed());
}

#[test]
fn a_caller_stops_a_fetch_by_closing_standard_input() {
    let hub = slow_hub();
    let computer = Computer::new(&hub);
    let mut child =
        computer.command(&["fetch", NAME, "--yes", "--json"]).stdin(Stdio::piped()).spawn().unwrap();
    wait_for_bytes(&computer, &hub.content);
    drop(child.stdin.take());
    let said = Said::of(&child.wait_with_output().unwrap());
    said.refused(&["stopped"]);
    let last = said.events().pop().unwrap();
    assert_eq!(last["event"], "stopped");
    assert!(last["bytes"].as_u64().unwrap() > 0, "{last}");
    check_kept(&computer, &hub);
}

#[test]
fn progress_tells_speed_and_time_left() {
    let hub = slow_hub();
    let said = Computer::new(&hub).fetch().worked();
    let events = said.events();
    let progress: Vec<_> = events.iter().filter(|event| event["event"] == "progress").collect();
    assert!(progress.len() >= 3, "{}", said.out);
    let middle = progress[progress.len() / 2];
    let (speed, left) = (middle["bytes_per_s"].as_f64().unwrap(), middle["seconds_left"].as_f64().unwrap());
    assert!((10_000.0..1_000_000.0).contains(&speed) && (0.0..=30.0).contains(&left), "{middle}");
    assert_eq!(progress.last().unwrap()["bytes"], 400_000);
}

#[test]
fn of_two_at_once_the_second_waits_and_fetches_nothing() {
    let hub = slow_hub();
    let computer = Computer::new(&hub);
    let mut first = computer.command(&["fetch", NAME, "--yes", "--json"]).spawn().unwrap();
    wait_for_bytes(&computer, &hub.content);
    computer.run(&["remove", NAME]).refused(&["is not here"]);
    let second = computer.fetch().worked();
    assert_eq!(second.kinds(), ["found", "waiting", "done"]);
    assert!(first.wait().unwrap().success());
    assert_eq!(hub.starts(), [0], "the content was fetched once");
    assert_eq!(std::fs::read(computer.pointer(COMMIT)).unwrap(), hub.content);
}

#[test]
fn a_killed_fetch_leaves_no_lock() {
    let hub = slow_hub();
    let computer = Computer::new(&hub);
    let mut child = computer.command(&["fetch", NAME, "--yes"]).spawn().unwrap();
    wait_for_bytes(&computer, &hub.content);
    child.kill().unwrap();
    child.wait().unwrap();
    check_kept(&computer, &hub);
}

#[test]
fn a_full_disk_is_a_sentence() {
    let hub = FakeHub::start(content(400_000));
    let computer = Computer::new(&hub);
    let folder = computer.folder.path().join("hf");
    std::fs::create_dir_all(&folder).unwrap();
    let fetch = computer.command(&["fetch", NAME, "--yes"]);
    // A disk of 256 kB that only this command sees.
    let mut small = std::process::Command::new("unshare");
    small.args([
        "-rm",
        "sh",
        "-c",
        "mount -t tmpfs -o size=256k none \"$HF_HOME\" || exit 77; exec \"$@\"",
        "sh",
    ]);
    small.arg(fetch.get_program()).args(fetch.get_args()).stdin(Stdio::null());
    for (name, value) in fetch.get_envs() {
        match value {
            Some(value) => small.env(name, value),
            None => small.env_remove(name),
        };
    }
    let output = match small.output() {
        Ok(output) if output.status.code() != Some(77) && !output.stderr.starts_with(b"unshare:") => output,
        // Where no such disk can be made, as in a container, nothing can be said.
        _ => return eprintln!("skipped: no disk can be made here"),
    };
    Said::of(&output).refused(&["the disk is full", "more are needed", ".part"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let hub = FakeHub::start(content(5_000));
    let computer = Computer::new(&hub);
    std::fs::write(computer.folder.path().join("hf"), "a file").unwrap();
    computer.fetch().refused(&["hf", "cannot be"]);
}

/// Runs a fetch on a terminal, answers its question, and returns whether it worked and what the terminal showed.
fn on_a_terminal(computer: &Computer, answer: &str) -> (bool, String) {
    let (mut near, mut far) = (0, 0);
    let none = std::ptr::null_mut();
    // SAFETY: two valid places for the two ends; the other parameters may be null.
    assert_eq!(unsafe { libc::openpty(&mut near, &mut far, none, none.cast(), none.cast()) }, 0);
    // SAFETY: both were just opened, and nobody else has them.
    let (near, far) = unsafe { (File::from_raw_fd(near), File::from_raw_fd(far)) };
    let mut command = computer.command(&["fetch", NAME]);
    command.stdin(far.try_clone().unwrap()).stdout(far.try_clone().unwrap()).stderr(far);
    let mut child = command.spawn().unwrap();
    // The command holds the far end too: without it, the near one ends with the program.
    drop(command);
    let mut reader = BufReader::new(near.try_clone().unwrap());
    let mut shown = Vec::new();
    reader.read_until(b'?', &mut shown).unwrap();
    (&near).write_all(answer.as_bytes()).unwrap();
    let mut block = [0; 4096];
    // Ends with an error once the program has.
    while let Ok(count) = reader.read(&mut block) {
        if count == 0 {
            break;
        }
        shown.extend_from_slice(&block[..count]);
    }
    (child.wait().unwrap().success(), String::from_utf8_lossy(&shown).into_owned())
}

#[test]
fn the_user_is_asked_on_a_terminal() {
    let hub = FakeHub::start(content(50_000));
    let computer = Computer::new(&hub);
    for answer in ["n\n", "\n"] {
        let (ok, shown) = on_a_terminal(&computer, answer);
        assert!(!ok && shown.contains("50 kB (50000 bytes)") && shown.contains("Licence: mit"), "{shown}");
        assert!(shown.contains("nothing was fetched") && hub.starts().is_empty(), "{shown}");
    }
    let (ok, shown) = on_a_terminal(&computer, "y\n");
    assert!(ok && shown.contains("Fetched: "), "{shown}");
    assert_eq!(std::fs::read(computer.pointer(COMMIT)).unwrap(), hub.content);
}
