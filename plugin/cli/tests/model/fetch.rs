//! A file arrives: redirects, checks, broken transfers.

use super::computer::Computer;
use super::hub::{Answer, COMMIT, FILE, FakeHub, NAME, REPOSITORY, sha256};

/// Bytes that look like nothing.
pub fn content(length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn a_file_arrives_through_redirects_and_lies_where_other_programs_find_it() {
    // The repository was renamed: the old address leads, relatively, to the new one.
    let hub =
        FakeHub::changed(content(700_000), |asked, _, answer| match asked.path.strip_prefix("/old/name") {
            Some(rest) if !asked.is_content => {
                Answer::status(307).with("Location", format!("/{REPOSITORY}{rest}"))
            }
            _ => answer,
        });
    let computer = Computer::new(&hub);
    let old = format!("old/name/{FILE}");
    let mut command = computer.command(&["fetch", &old, "--yes", "--json"]);
    let said = super::computer::Said::of(&command.env("HF_TOKEN", "hf_of_mine").output().unwrap()).worked();
    assert_eq!(said.kinds(), ["found", "progress", "done"]);
    let (found, done) = (said.events()[0].clone(), said.events().last().unwrap().clone());
    assert_eq!(found["sha256"], sha256(&hub.content));
    assert_eq!(found["size_bytes"], 700_000);
    assert_eq!(done["was_present"], false);
    let path = std::path::PathBuf::from(done["path"].as_str().unwrap());
    assert!(path.ends_with(format!("models--old--name/snapshots/{COMMIT}/{FILE}")), "{}", path.display());
    assert_eq!(std::fs::read(&path).unwrap(), hub.content);
    assert!(path.symlink_metadata().unwrap().is_symlink());
    let reference = computer.folder.path().join("hf/hub/models--old--name/refs/main");
    assert_eq!(std::fs::read_to_string(reference).unwrap(), COMMIT);
    // The token went to the hub, and to nobody else.
    for asked in hub.asked() {
        let expected = if asked.is_content { None } else { Some("hf_of_mine".to_string()) };
        assert_eq!(asked.token, expected, "{asked:?}");
    }
}

#[test]
fn what_is_here_is_checked_and_not_fetched_again() {
    let hub = FakeHub::start(content(9_000));
    let computer = Computer::new(&hub);
    computer.fetch().worked();
    let asked = hub.asked().len();
    let again = computer.fetch().worked();
    assert_eq!(again.kinds(), ["done"]);
    assert_eq!(again.events()[0]["was_present"], true);
    assert_eq!(hub.asked().len(), asked, "a file that is here needs no request");
    // A byte flips on the disk.
    let mut damaged = hub.content.clone();
    damaged[5_000] ^= 1;
    std::fs::write(computer.blob(&hub.content), &damaged).unwrap();
    computer.run(&["fetch", NAME, "--offline"]).refused(&["damaged", "checksum"]);
    let repaired = computer.fetch().worked();
    assert!(repaired.error.contains("damaged"), "{}", repaired.error);
    assert_eq!(std::fs::read(computer.pointer(COMMIT)).unwrap(), hub.content);
}

#[test]
fn a_broken_transfer_goes_on_where_it_broke() {
    let hub = FakeHub::changed(content(90_000), |asked, before, answer| match asked.is_content {
        true if before < 2 => Answer { breaks_after: Some(30_000), ..answer },
        _ => answer,
    });
    let computer = Computer::new(&hub);
    let said = computer.fetch().worked();
    assert_eq!(hub.starts(), [0, 30_000, 60_000]);
    assert!(said.kinds().contains(&"retrying".into()), "{}", said.out);
    assert_eq!(std::fs::read(computer.pointer(COMMIT)).unwrap(), hub.content);
    assert!(!computer.part(&hub.content).exists());
}

#[test]
fn a_server_in_trouble_is_given_up_and_the_next_fetch_resumes() {
    let hub = FakeHub::changed(content(90_000), |asked, before, answer| match (asked.is_content, before) {
        (true, 0) => Answer { breaks_after: Some(40_000), ..answer },
        (true, 1..4) => Answer::status(503),
        _ => answer,
    });
    let computer = Computer::new(&hub);
    let said = computer.fetch();
    said.refused(&["given up after 4 tries", "40 kB of 90 kB", "503"]);
    assert_eq!(said.kinds().last().unwrap(), "failed");
    assert_eq!(std::fs::read(computer.part(&hub.content)).unwrap(), hub.content[..40_000]);
    let said = computer.fetch().worked();
    assert!(said.kinds().contains(&"resumed".into()), "{}", said.out);
    assert_eq!(hub.starts(), [0, 40_000, 40_000, 40_000, 40_000]);
    assert_eq!(std::fs::read(computer.pointer(COMMIT)).unwrap(), hub.content);
}

#[test]
fn a_server_that_cannot_resume_starts_over() {
    let hub = FakeHub::changed(content(50_000), |asked, _, answer| match asked.is_content {
        true => Answer { body: content(50_000), ..Answer::status(200) },
        false => answer,
    });
    let computer = Computer::new(&hub);
    computer.leave_part(&hub.content, &hub.content[..20_000]);
    let said = computer.fetch().worked();
    assert_eq!(said.kinds()[..3], ["found", "resumed", "restarted"], "{}", said.out);
    assert_eq!(std::fs::read(computer.pointer(COMMIT)).unwrap(), hub.content);
}

#[test]
fn a_whole_part_needs_no_transfer_and_a_damaged_one_starts_over() {
    let hub = FakeHub::start(content(50_000));
    let whole = Computer::new(&hub);
    whole.leave_part(&hub.content, &hub.content);
    whole.fetch().worked();
    assert!(hub.starts().is_empty(), "all bytes were here");
    for damaged in [vec![7; 20_000], vec![7; 50_000], vec![7; 60_000]] {
        let computer = Computer::new(&hub);
        computer.leave_part(&hub.content, &damaged);
        computer.fetch().worked();
        assert_eq!(std::fs::read(computer.pointer(COMMIT)).unwrap(), hub.content);
    }
}

#[test]
fn content_with_another_checksum_is_removed() {
    let hub = FakeHub::changed(content(50_000), |asked, _, mut answer| {
        if asked.is_content {
            answer.body[100] ^= 1;
        }
        answer
    });
    let computer = Computer::new(&hub);
    computer.fetch().refused(&["checksum", "wrong", "removed", &sha256(&hub.content)]);
    assert!(!computer.part(&hub.content).exists() && !computer.blob(&hub.content).exists());
    computer.run(&["info", NAME]).refused(&["is not here yet"]);
}

#[test]
fn an_address_that_has_run_out_is_asked_for_again() {
    let hub = FakeHub::changed(content(50_000), |asked, before, answer| match asked.is_content {
        true if before == 0 => Answer::status(403),
        _ => answer,
    });
    let computer = Computer::new(&hub);
    let said = computer.fetch().worked();
    assert!(!said.out.contains("signature"), "a signed address is a secret: {}", said.out);
    assert_eq!(hub.asked().iter().filter(|asked| !asked.is_content && asked.method == "GET").count(), 3);
}

#[test]
fn a_busy_hub_is_asked_once_more_after_the_wait_that_it_names() {
    let hub = FakeHub::changed(content(5_000), |asked, before, answer| match asked.is_content {
        false if before == 0 => Answer::status(429).with("Retry-After", "1"),
        _ => answer,
    });
    Computer::new(&hub).fetch().worked();
}
