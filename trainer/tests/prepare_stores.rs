//! Songs over HTTP and out of an object store. Needs a build with stores, and PyPI's `moto` as the store:
//! `cargo xtask test --full stores`.
#![cfg(feature = "stores")]
#![allow(clippy::unwrap_used)]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/shards.rs"]
mod shards;
#[path = "common/sounds.rs"]
mod sounds;

use cli::{Place, trainer};
use shards::{files, shard};
use sounds::musdb_song;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Two songs, and the maps that their folder gives.
fn songs(place: &Place) -> BTreeMap<String, Vec<u8>> {
    for (seed, song) in ["One", "Two"].into_iter().enumerate() {
        musdb_song(&place.path("songs/shard-0").join(song), seed as u64 + 1, 10.0);
    }
    place.write("songs/shard-0/Two/song.json", r#"{"split": "test"}"#);
    prepare(place, &["--songs", &place.text("songs"), "--calib-share", "0.1"], "folder", &[]).unwrap();
    let maps = files(&place.path("folder"));
    assert_eq!(maps.len(), 2);
    maps
}

fn prepare(place: &Place, args: &[&str], out: &str, environment: &[(&str, &str)]) -> Result<(), String> {
    std::fs::create_dir_all(place.path("tmp")).unwrap();
    let mut command = trainer();
    command.env("TMPDIR", place.path("tmp")).envs(environment.iter().copied());
    command.args(["prepare", "--variants", "0", "--separated", "none", "--out"]);
    let done = command.arg(place.path(out)).args(args).output().unwrap();
    assert_eq!(std::fs::read_dir(place.path("tmp")).unwrap().count(), 0, "a song stays on the disk");
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

/// Answers one request for `/shard-0.tar`. Whole files break off in the middle; ranges are served.
fn serve(mut stream: TcpStream, bytes: &[u8], ranges: &AtomicUsize) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    let mut first = None;
    for line in lines {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        first =
            line.strip_prefix("range: bytes=").map(|range| range.trim_end_matches('-').to_string()).or(first);
    }
    let length = bytes.len();
    if !request.starts_with("GET /shard-0.tar") {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let about = "ETag: \"1\"\r\nLast-Modified: Tue, 24 Nov 2026 10:00:00 GMT\r\nConnection: close\r\n\r\n";
    match first {
        Some(range) => {
            ranges.fetch_add(1, Ordering::Relaxed);
            let (from, to) = range.split_once('-').unwrap_or((&range, ""));
            let from: usize = from.parse().unwrap();
            let to = to.parse().map_or(length, |last: usize| last + 1);
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{length}\r\nContent-Length: {}\r\n{about}",
                to - 1,
                to - from
            );
            stream.write_all(head.as_bytes())?;
            stream.write_all(&bytes[from..to])
        }
        None => {
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{about}").as_bytes())?;
            stream.write_all(&bytes[..length / 2])
        }
    }
}

#[test]
fn a_shard_over_http_goes_on_where_it_broke_off() {
    let place = Place::new();
    let maps = songs(&place);
    let bytes = shard(&place.path("songs/shard-0"), &["One", "Two"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ranges: &'static AtomicUsize = Box::leak(Box::default());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            _ = serve(stream.unwrap(), &bytes, ranges);
        }
    });
    prepare(&place, &["--shards", &format!("http://{address}/shard-0.tar")], "http", &[]).unwrap();
    assert!(files(&place.path("http")) == maps);
    assert!(ranges.load(Ordering::Relaxed) > 0, "the first answer broke off");
    let sentence =
        prepare(&place, &["--shards", &format!("http://{address}/none.tar")], "none", &[]).unwrap_err();
    assert!(sentence.contains("none.tar cannot be read to its end"), "{sentence}");
    let sentence = prepare(&place, &["--shards", "ftp://host/a.tar"], "none", &[]).unwrap_err();
    assert!(sentence.contains("ftp://host/a.tar cannot be used"), "{sentence}");
}

/// A store that speaks S3, as long as it lives.
struct Store {
    process: Child,
    endpoint: String,
}

/// Ports are chosen one after another.
static STARTING: Mutex<()> = Mutex::new(());

impl Store {
    fn start() -> Store {
        let _one_at_a_time = STARTING.lock().unwrap();
        let server = std::env::var_os("MIXING_BUDDY_MOTO").expect("MIXING_BUDDY_MOTO names moto_server");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let store = Store { process, endpoint: format!("http://127.0.0.1:{port}") };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(60), "the store does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        store
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        ureq::put(format!("{}/{path}", self.endpoint)).send(bytes).unwrap();
    }

    fn environment(&self) -> [(&str, &str); 5] {
        [
            ("AWS_ENDPOINT", &self.endpoint),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "very-secret"),
            ("AWS_REGION", "us-east-1"),
        ]
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

#[test]
fn an_object_store_holds_folders_of_songs_and_shards() {
    let place = Place::new();
    let maps = songs(&place);
    let store = Store::start();
    store.put("music", &[]);
    let root = place.path("songs/shard-0");
    for song in ["One", "Two"] {
        for (name, bytes) in files(&root.join(song)) {
            store.put(&format!("music/all/songs/shard-0/{song}/{name}"), &bytes);
        }
    }
    store.put("music/all/songs/README.txt", b"what this is");
    store.put("music/all/shards/shard-0.tar", &shard(&root, &["One", "Two"]));
    let environment = store.environment();
    for (out, args) in [("whole", vec!["1/1"]), ("parts", vec!["1/2", "2/2"])] {
        for part in args {
            let args = ["--songs", "s3://music/all/songs", "--part", part];
            prepare(&place, &args, out, &environment).unwrap();
        }
        assert!(files(&place.path(out)) == maps, "{out}");
    }
    prepare(&place, &["--shards", "s3://music/all/shards/shard-{0..0}.tar"], "shards", &environment).unwrap();
    assert!(files(&place.path("shards")) == maps);
    for (address, words) in [
        ("s3://music/nothing", "s3://music/nothing holds no folder of stems"),
        ("s3://nobody/songs", "the files of s3://nobody/songs cannot be listed"),
    ] {
        let sentence = prepare(&place, &["--songs", address], "none", &environment).unwrap_err();
        assert!(sentence.contains(words) && !sentence.contains("very-secret"), "{sentence}");
    }
    assert!(!Path::new(&place.path("none")).exists());
}
