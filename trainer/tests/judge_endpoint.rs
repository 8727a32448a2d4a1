//! The judge against a real server on this machine: answers, rate limits, faults, and a server that dies.

use judged::items;
use mixing_buddy_trainer::evaluation::judge::{
    CandidateKind, EndpointJudge, EndpointSettings, Judge, JudgeFailure, JudgePlan, Judgement, judge_report,
    rubric::Prompt,
};
use mixing_buddy_trainer::evaluation::words::write_items;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[path = "common/cli.rs"]
mod cli;
#[path = "common/judged.rs"]
mod judged;
#[path = "../../tests/src/prerequisite.rs"]
mod prerequisite;

/// What the server does with one request.
#[derive(Clone)]
enum Reply {
    Status(u16, &'static str, String),
    Hang,
    Close,
}

/// A server that asks `reply` about the body of each request.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    fn start(reply: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let log = seen.clone();
        let reply = Arc::new(reply);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), log, reply) = (stream, log.clone(), reply.clone()) else { continue };
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
                    let (mut head, mut length) = (String::new(), 0);
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                            break;
                        }
                        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap_or(0);
                        }
                        head += &line;
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).expect("a body");
                    let body = String::from_utf8(body).expect("text");
                    let number = {
                        let mut log = log.lock().expect("not poisoned");
                        log.push((head, body.clone()));
                        log.len() - 1
                    };
                    match reply(number, &body) {
                        Reply::Hang => std::thread::sleep(Duration::from_secs(5)),
                        Reply::Close => {}
                        Reply::Status(status, headers, text) => {
                            let length = text.len();
                            let head = format!(
                                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
                            );
                            _ = stream
                                .write_all(head.as_bytes())
                                .and_then(|()| stream.write_all(text.as_bytes()));
                        }
                    }
                });
            }
        });
        Server { url, seen }
    }

    fn requests(&self) -> usize {
        self.seen.lock().expect("not poisoned").len()
    }
}

fn chat(content: &str) -> Reply {
    let json = serde_json::json!({"choices": [{"message": {"role": "assistant", "content": content}}]});
    Reply::Status(200, "", json.to_string())
}

fn rated(ratings: [u8; 4]) -> Reply {
    let [a, b, c, d] = ratings;
    chat(&format!(
        "{{\"effectiveness\": {a}, \"actionability\": {b}, \"conventions\": {c}, \"faithfulness\": {d}}}"
    ))
}

fn judge_at(url: &str, key: Option<&str>) -> EndpointJudge {
    EndpointJudge::new(EndpointSettings {
        timeout: Duration::from_millis(300),
        first_wait: Duration::from_millis(5),
        ..EndpointSettings::new(url.into(), "test-model".into(), key.map(String::from))
    })
}

fn some_prompt() -> Prompt {
    Prompt { system: "Judge.".into(), user: "The advice: none".into() }
}

#[test]
fn faults_that_pass_are_waited_for_and_others_end_with_a_sentence() {
    // A hanging answer, a closed connection, 500, 429 with a wait, words that are no JSON, JSON of another form; then an answer.
    let server = Server::start(|number, _| match number {
        0 => Reply::Hang,
        1 => Reply::Close,
        2 => Reply::Status(500, "", "oops".into()),
        3 => Reply::Status(429, "Retry-After: 0.2\r\n", r#"{"error": {"message": "slow down"}}"#.into()),
        4 => Reply::Status(200, "", "<html>".into()),
        5 => Reply::Status(200, "", "{}".into()),
        _ => chat("fine"),
    });
    let judge = EndpointJudge::new(EndpointSettings {
        attempts: 7,
        timeout: Duration::from_millis(300),
        first_wait: Duration::from_millis(5),
        ..EndpointSettings::new(server.url.clone(), "m".into(), None)
    });
    let began = Instant::now();
    assert_eq!(judge.answer(&some_prompt(), 0).expect("it answers in the end"), "fine");
    assert!(began.elapsed() >= Duration::from_millis(500), "the time-out and the wait that was asked for");
    assert_eq!(server.requests(), 7);

    let server = Server::start(|_, _| Reply::Status(429, "", "later".into()));
    let failure = judge_at(&server.url, None).answer(&some_prompt(), 0).unwrap_err().to_string();
    assert!(failure.contains("status 429: later (5 attempts)"), "{failure}");
    assert_eq!(server.requests(), 5);

    let server =
        Server::start(|_, _| Reply::Status(404, "", r#"{"error": {"message": "no such model"}}"#.into()));
    let failure = judge_at(&server.url, None).answer(&some_prompt(), 0).unwrap_err().to_string();
    assert!(failure.contains("status 404: no such model"), "{failure}");
    assert_eq!(server.requests(), 1, "it does not pass");

    let failure = judge_at("http://127.0.0.1:9/v1", None).answer(&some_prompt(), 0).unwrap_err().to_string();
    assert!(failure.contains("127.0.0.1:9") && failure.contains("5 attempts"), "{failure}");
}

#[test]
fn the_rate_is_kept() {
    let server = Server::start(|_, _| chat("fine"));
    let judge = EndpointJudge::new(EndpointSettings {
        per_minute: Some(600.0),
        ..EndpointSettings::new(server.url.clone(), "m".into(), None)
    });
    let began = Instant::now();
    (0..4).for_each(|number| _ = judge.answer(&some_prompt(), number).expect("an answer"));
    assert!(began.elapsed() >= Duration::from_millis(300), "three waits of a tenth of a second");
}

#[test]
fn the_key_is_sent_and_in_no_file_nor_message() {
    let key = "sk-very-secret-0123456789";
    // The server repeats the key in its message, as some do.
    let server = Server::start(move |number, _| match number {
        0..12 => rated([4, 4, 4, 4]),
        _ => Reply::Status(400, "", format!(r#"{{"error": {{"message": "bad key {key}"}}}}"#)),
    });
    let place = cli::Place::new();
    write_items(&place.path("items.jsonl"), &items()).expect("a file");
    let done = cli::trainer()
        .args(["-v", "judge", &place.text("items.jsonl"), "--judge-url", &server.url, "--judge-model", "m"])
        .args(["--kept", &place.text("kept"), "--out", &place.text("judge.json")])
        .env("MIXING_BUDDY_JUDGE_KEY", key)
        .env("RUST_LOG", "trace")
        .output()
        .expect("it runs");
    assert!(!done.status.success(), "the endpoint dies after twelve answers");
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(said.contains("bad key (key)"), "{said}");
    assert!(
        said.contains("12 of 34 judgements are kept") && said.contains("give the same command again"),
        "{said}"
    );
    assert!(!said.contains(key), "{said}");
    let (head, body) = server.seen.lock().expect("not poisoned")[0].clone();
    assert!(head.contains(&format!("Bearer {key}")) && !body.contains(key));
    let kept: Vec<_> = std::fs::read_dir(place.path("kept")).expect("a folder").flatten().collect();
    assert_eq!(kept.len(), 12);
    for entry in kept {
        assert!(!std::fs::read_to_string(entry.path()).expect("a file").contains(key));
    }
}

#[test]
fn a_run_goes_on_where_the_endpoint_died_and_gives_the_same_judgements() {
    let items = items();
    let plan = JudgePlan::new(&items, 2, 1);
    // Six kinds of advice on flawed items, five on the balanced one.
    assert_eq!(plan.len(), 2 * (6 + 6 + 5));
    // Ratings that follow from the advice, so that they do not depend on when it is asked.
    let rate = |body: &str| {
        let sum: usize = body.bytes().map(usize::from).sum();
        rated([1 + (sum % 5) as u8, 3, 3, 3])
    };
    let healthy = Server::start(move |_, body| rate(body));
    let dying = Server::start(move |number, body| if number < 20 { rate(body) } else { Reply::Close });
    let [whole, broken] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let expected = plan.run(&judge_at(&healthy.url, None), whole.path(), &mut |_| ()).expect("it answers");
    let sentence = plan.run(&judge_at(&dying.url, None), broken.path(), &mut |_| ()).unwrap_err().to_string();
    assert!(sentence.contains("20 of 34 judgements are kept"), "{sentence}");
    assert_eq!(plan.estimate("test-model", broken.path()).requests, 14);
    let before = healthy.requests();
    let rest = plan.run(&judge_at(&healthy.url, None), broken.path(), &mut |_| ()).expect("it answers");
    assert_eq!(healthy.requests() - before, 14, "what was answered is not asked again");
    assert_eq!(rest, expected);
}

/// A judge in this process.
struct Scripted(fn(&str) -> String);

impl Judge for Scripted {
    fn name(&self) -> String {
        "scripted".into()
    }

    fn answer(&self, prompt: &Prompt, _: u64) -> Result<String, JudgeFailure> {
        Ok((self.0)(&prompt.user))
    }
}

fn judged_by(script: fn(&str) -> String) -> Vec<Judgement> {
    let folder = tempfile::tempdir().expect("a folder");
    JudgePlan::new(&items(), 2, 0).run(&Scripted(script), folder.path(), &mut |_| ()).expect("it answers")
}

#[test]
fn planted_bad_advice_shows_whether_a_judge_may_be_believed() {
    // It knows what is right: the bass of song 1 and the vocals of song 2 are loud, song 3 is balanced.
    let good: fn(&str) -> String = |user| {
        let advice = user.split("The advice: ").nth(1).unwrap_or_default();
        let right = advice.starts_with("The level of the bass is too high")
            || advice.starts_with("The level of the vocals is too high")
            || advice.starts_with("All the levels are right");
        let n = if right { 5 } else { 2 };
        format!(
            "{{\"effectiveness\": {n}, \"actionability\": {n}, \"conventions\": {n}, \"faithfulness\": {n}}}"
        )
    };
    let report = judge_report("scripted", &judged_by(good), 0, 100);
    let of = |kind| report.kinds.iter().find(|scores| scores.kind == kind).expect("a kind");
    assert_eq!(of(CandidateKind::Written).mean.value, Some(5.0));
    assert_eq!(of(CandidateKind::WrongDirection).scores_lower.and_then(|figure| figure.value), Some(1.0));
    assert_eq!(report.alpha_over_repeats, Some(1.0));
    assert_eq!((report.judgements, report.unreadable), (34, 0));

    // One that likes everything, and one that talks nonsense.
    let kind: fn(&str) -> String =
        |_| r#"{"effectiveness": 5, "actionability": 5, "conventions": 5, "faithfulness": 5}"#.into();
    let report = judge_report("kind", &judged_by(kind), 0, 100);
    assert!(report.verdict.starts_with("This judge must not be believed"), "{}", report.verdict);
    assert!(report.verdict.contains("planted: wrong direction (50 %)"), "{}", report.verdict);
    let report = judge_report("nonsense", &judged_by(|_| "I'd give it a solid eight!".into()), 0, 100);
    assert_eq!((report.judgements, report.unreadable), (34, 34));
    assert!(report.verdict.contains("nothing is known of this judge"), "{}", report.verdict);
}

#[test]
#[ignore = "needs a server with a real model"]
fn a_real_server_rates_planted_advice() {
    let Ok(url) = std::env::var("MIXING_BUDDY_JUDGE_URL") else {
        prerequisite::missing("the base URL of an OpenAI-compatible server in MIXING_BUDDY_JUDGE_URL");
        return;
    };
    let model = std::env::var("MIXING_BUDDY_JUDGE_MODEL").unwrap_or_else(|_| "default".into());
    let settings = EndpointSettings::new(url, model, std::env::var("MIXING_BUDDY_JUDGE_KEY").ok());
    let judge = EndpointJudge::new(settings);
    let (folder, items) = (tempfile::tempdir().expect("a folder"), items());
    let judgements =
        JudgePlan::new(&items, 2, 0).run(&judge, folder.path(), &mut |_| ()).expect("judgements");
    let report = judge_report(&judge.name(), &judgements, 0, 200);
    eprintln!("{report}");
    assert_eq!(report.judgements + report.unreadable, 34);
    // A small model misses the form now and then; one that is asked rightly does so seldom.
    assert!(report.unreadable <= 8, "{} answers cannot be read", report.unreadable);
}
