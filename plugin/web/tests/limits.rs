//! Many clients, slow ones, ones that leave; and how a server starts and stops.

mod common;

use common::{FORM, files_below, form, read_until, start, tones, wait_until};
use mixing_buddy_web::{Server, Settings};
use serde_json::json;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

#[test]
fn the_queue_is_bounded_and_tells_places_and_addresses_take_turns() {
    let running = start(|settings| {
        settings.workers = 1;
        settings.most_waiting = 5;
        settings.most_waiting_per_address = 3;
        settings.behind_proxy = true;
    });
    // Long enough for all uploads to come while the first is listened to.
    let (long, short) = (tones(150), tones(4));
    let from = |address: &str, song: &[u8]| {
        running.upload_from(&[("song", Some("a"), song)], &[("x-forwarded-for", address)])
    };
    let id = |reply: common::Reply| {
        reply.json()["id"].as_str().unwrap_or_else(|| panic!("{}", reply.text())).to_string()
    };
    let first = id(from("1.1.1.1", &long));
    wait_until("the first is not listened to", || running.state(&first)["state"] == "listening");
    let greedy: Vec<String> = (0..3).map(|_| id(from("1.1.1.1", &short))).collect();
    from("1.1.1.1", &short).problem(429);
    let modest = id(from("2.2.2.2", &short));
    let place = |id: &str| running.state(id)["place"].as_u64();
    assert_eq!(greedy.iter().map(|id| place(id)).collect::<Vec<_>>(), [Some(1), Some(3), Some(4)]);
    assert_eq!(place(&modest), Some(2), "its turn comes before the second of the other address");
    id(from("3.3.3.3", &short));
    let full = from("4.4.4.4", &short);
    assert!(full.problem(503).contains("Too many songs wait"));
    assert_eq!(full.header("retry-after"), "60");
    // Who leaves the queue makes room, and the others move up.
    assert_eq!(running.delete(&format!("/api/jobs/{}", greedy[0])).status, 204);
    assert_eq!((place(&greedy[1]), place(&modest), place(&greedy[2])), (Some(1), Some(2), Some(4)));
    assert_eq!(running.delete(&format!("/api/jobs/{first}")).status, 204);
    assert_eq!(running.wait_for_end(&modest)["state"], "done");
    assert_eq!(running.wait_for_end(&greedy[2])["state"], "done");
}

#[test]
fn many_clients_at_once_all_get_their_verdict() {
    let running = start(|_| {});
    let song = tones(4);
    let ends: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    let id = running.send(&song);
                    running.wait_for_end(&id)["state"].as_str().unwrap().to_string()
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(ends.iter().all(|state| state == "done"), "{ends:?}");
}

#[test]
fn a_short_task_does_not_wait_for_a_song() {
    let running = start(|settings| settings.workers = 1);
    let judged = running.send(&tones(11));
    running.wait_for_end(&judged);
    let long = running.send(&tones(300));
    wait_until("nobody listens", || running.state(&long)["state"] == "listening");
    let reply = running.ask(&judged, &json!({"question": "how is my vocal?"}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_ne!(running.state(&long)["state"], "done", "the song is longer than the question");
}

#[test]
fn an_address_that_asks_for_too_much_has_to_wait() {
    let running = start(|settings| {
        settings.uploads_per_minute = 2;
        settings.behind_proxy = true;
    });
    let from = |address: &str| {
        running.upload_from(&[("song", Some("a"), &tones(4))], &[("x-forwarded-for", address)])
    };
    assert_eq!([from("1.1.1.1").status, from("1.1.1.1").status], [202, 202]);
    let refused = from("1.1.1.1");
    refused.problem(429);
    assert!((1..=30).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    assert_eq!(from("1.1.1.2").status, 202);
}

#[test]
fn slow_clients_are_cut_off_and_leave_nothing() {
    let running = start(|settings| {
        settings.stall = Duration::from_millis(400);
        settings.most_upload_time = Duration::from_secs(2);
    });
    let body = form(&[("song", Some("a.wav"), &tones(4))]);
    let head = format!(
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // One that sends half a head, one that sends half a song, one that sends a byte now and then.
    let mut silent = running.connect();
    write!(silent, "GET / HTTP/1.1\r\nHo").unwrap();
    let mut half = running.connect();
    half.write_all(head.as_bytes()).unwrap();
    half.write_all(&body[..body.len() / 2]).unwrap();
    let mut dripping = running.connect();
    dripping.write_all(head.as_bytes()).unwrap();
    let start = Instant::now();
    let mut answer = String::new();
    half.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let mut nothing = Vec::new();
    let _cut_off = silent.read_to_end(&mut nothing);
    assert!(start.elapsed() < Duration::from_secs(5));
    let mut is_open = true;
    for byte in &body {
        is_open = dripping.write_all(&[*byte]).is_ok();
        if !is_open || start.elapsed() > Duration::from_secs(8) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(!is_open, "a client that drips is still served");
    wait_until("files are left", || running.files() == 0);
    assert_eq!(running.get("/api/info").status, 200);
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let running = start(|settings| settings.stall = Duration::from_millis(500));
    let id = running.send(&tones(11));
    running.wait_for_end(&id);
    // Many answers are asked for and none is read, until the system's buffers are full and the server cannot write.
    let mut stream = running.connect();
    let request = format!("GET /api/jobs/{id}/windows/0/audio/original HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for _ in 0..60 {
        stream.write_all(request.as_bytes()).unwrap();
    }
    std::thread::sleep(Duration::from_secs(3));
    let mut all = Vec::new();
    let _cut_off = stream.read_to_end(&mut all);
    let sound = 480_000;
    assert!(all.len() < 60 * sound, "all {} bytes were sent", all.len());
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let running = start(|_| {});
    let body = form(&[("song", Some("a.wav"), &tones(60))]);
    let mut stream = running.connect();
    write!(
        stream,
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(&body[..body.len() / 2]).unwrap();
    wait_until("the upload has not begun", || running.files() == 1);
    drop(stream);
    wait_until("files are left", || running.files() == 0);
}

#[test]
fn a_song_that_nobody_watches_is_cancelled_and_one_that_is_watched_is_not() {
    let running = start(|settings| {
        settings.workers = 1;
        settings.leave_after = Duration::from_millis(800);
    });
    let long = running.send(&tones(600));
    let waiting = running.send(&tones(4));
    let mut events = running.listen(&long, None);
    read_until(&mut events, "listening");
    std::thread::sleep(Duration::from_millis(1800));
    // The client of the second never came back; that of the first is there.
    running.get(&format!("/api/jobs/{waiting}")).problem(404);
    assert_eq!(running.files(), 1);
    drop(events);
    wait_until("the song is still listened to", || running.files() == 0);
    running.get(&format!("/api/jobs/{long}")).problem(404);
    // The worker is free again.
    let next = running.send(&tones(4));
    assert_eq!(running.wait_for_end(&next)["state"], "done");
}

#[test]
fn a_judged_song_is_kept_for_a_while_only() {
    let running = start(|settings| settings.keep = Duration::from_millis(800));
    let id = running.send(&tones(4));
    assert_eq!(running.wait_for_end(&id)["state"], "done");
    assert_eq!(running.get(&format!("/api/jobs/{id}/result")).status, 200);
    wait_until("the song is still there", || running.files() == 0);
    running.get(&format!("/api/jobs/{id}/result")).problem(404);
}

#[test]
fn connections_are_bounded() {
    let running = start(|settings| settings.most_connections = 8);
    let idle: Vec<_> = (0..4).map(|_| running.connect()).collect();
    // Half of all are one address's: the next is closed at once.
    let mut refused = running.connect();
    let mut nothing = Vec::new();
    let _closed = refused.read_to_end(&mut nothing);
    assert!(nothing.is_empty());
    drop(idle);
    wait_until("it serves no more", || {
        let mut stream = running.connect();
        let _ = write!(stream, "GET /api/info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
    });
}

#[test]
fn a_server_that_stops_tells_its_clients_ends_in_time_and_leaves_nothing() {
    let running = start(|_| {});
    let ids: Vec<String> = (0..4).map(|_| running.send(&tones(600))).collect();
    let watching: Vec<_> = ids.iter().map(|id| running.listen(id, None)).collect();
    wait_until("nobody listens", || running.state(&ids[0])["state"] == "listening");
    let begun = Instant::now();
    let common::Running { server, temporary } = running;
    let root = server.folder().to_path_buf();
    server.stop();
    assert!(begun.elapsed() < Duration::from_secs(4), "it took {:?}", begun.elapsed());
    for mut events in watching {
        let mut rest = String::new();
        events.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("The server is being stopped."), "{rest}");
    }
    assert!(!root.exists());
    assert_eq!(files_below(temporary.path()), 0);
}

#[test]
fn two_servers_share_a_folder_and_an_address_in_use_is_named() {
    let one = start(|_| {});
    let settings =
        |bind| Settings { bind, temporary: one.temporary.path().to_path_buf(), ..Settings::default() };
    let other = Server::start(common::engine(), settings("127.0.0.1:0".parse().unwrap())).unwrap();
    let id = one.send(&tones(4));
    drop(other);
    assert_eq!(one.wait_for_end(&id)["state"], "done");
    let taken = one.server.address();
    let Err(error) = Server::start(common::engine(), settings(taken)) else { panic!("it is in use") };
    assert!(error.to_string().starts_with(&format!("{taken} cannot be served: ")), "{error}");
}
