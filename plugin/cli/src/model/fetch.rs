//! `model fetch`: from the hub into its folder on this computer, after a question.

use super::catalogue::{Address, KNOWN, Named, named, size_text};
use super::hub::{Hub, HubError, Remote};
use super::report::{Event, Reporter};
use super::settings::HubSettings;
use super::stop;
use super::store::Store;
use super::transfer::{Stopped, hash_of, transfer};
use anyhow::{Context, Result, bail};
use clap::Args;
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::output::note;
use sha2::Digest;
use std::fs::File;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

/// Time between two looks at a lock that another program holds.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Options of `model fetch`.
#[derive(Args)]
#[command(
    after_help = "Size and licence are shown first. A fetch that was stopped goes on where it stopped; the SHA-256 is checked. \
    With --json, events are printed as lines, and closing standard input stops the fetch.\n\nExamples:\n  \
    mixing-buddy model fetch\n  \
    mixing-buddy model fetch qwen2-0.5b --yes\n  \
    mixing-buddy model fetch qwen2-0.5b --yes --json\n  \
    HF_HOME=/big/disk mixing-buddy model fetch qwen2-0.5b\n  \
    mixing-buddy model fetch Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/qwen2.5-coder-0.5b-instruct-q8_0.gguf\n  \
    mixing-buddy model fetch hf://OWNER/NAME && mixing-buddy advise song.wav --model hf://OWNER/NAME"
)]
pub struct FetchArgs {
    /// A model of `model list`, a file on the hub as OWNER/REPOSITORY/FILE.gguf, or the bundle of hf://OWNER/REPOSITORY
    #[arg(default_value = KNOWN[0].name)]
    name: String,
    /// Fetch without a question
    #[arg(long, short)]
    yes: bool,
    /// Send nothing: only check whether the file is here and whole
    #[arg(long)]
    offline: bool,
}

/// Fetches a model.
///
/// # Errors
/// When the name is not known, the user does not agree, the hub refuses or cannot be reached, the transfer is stopped or gives
/// another file, or something cannot be written.
pub fn run(args: &FetchArgs, json: bool) -> Result<()> {
    let mut reporter = Reporter::new(json);
    let result = fetch(args, json, &mut reporter);
    if let Err(error) = &result
        && error.downcast_ref::<Stopped>().is_none()
    {
        let _the_error_itself_counts = reporter.tell(Event::Failed(&format!("{error:#}")));
    }
    result
}

fn fetch(args: &FetchArgs, json: bool, reporter: &mut Reporter) -> Result<()> {
    let Named::Hub(address) = named(&args.name)? else {
        bail!("the compact model is built in: there is nothing to fetch");
    };
    let settings = HubSettings::from_environment(args.offline)?;
    let store = Store::at(settings.cache.clone());
    if let Some(path) = store.find(&address) {
        match is_whole(&address, &path)? {
            true => return reporter.tell(Event::Done { path: &path, is_old: true }),
            false if settings.is_offline => {
                bail!("{}: damaged: its checksum is wrong. Fetch it again without --offline", path.display())
            }
            false => {
                note(&format!("{}: damaged: its checksum is wrong; it is removed.", path.display()));
                store.remove(&address)?;
            }
        }
    }
    if settings.is_offline {
        bail!(
            "{} is not here, and nothing may be fetched (--offline, or HF_HUB_OFFLINE). Looked in {}",
            address.name,
            store.folder().display()
        );
    }
    let hub = Hub::new(&settings);
    let remote = describe(&hub, &address)?;
    let licence = match address.known {
        Some(known) => known.licence.to_string(),
        None => hub.licence(&address).unwrap_or_else(|| "not stated".into()),
    };
    let folder = store.folder();
    reporter.tell(Event::Found { address: &address, remote: &remote, licence: &licence, folder })?;
    if !args.yes {
        agree(settings.host(), &remote, json)?;
    }
    let cancel = stop::watch(json);
    let path = bring(&hub, &store, (&address, &remote), &cancel, reporter).inspect_err(|error| {
        if error.downcast_ref::<Stopped>().is_some() {
            let kept = std::fs::metadata(store.part(&address, &remote.sha256)).map_or(0, |about| about.len());
            let _the_error_itself_counts = reporter.tell(Event::Stopped(kept));
        }
    })?;
    reporter.tell(Event::Done { path: &path, is_old: false })
}

/// What the hub says; of a known file the same as what was tested. One more try where the answer broke off.
fn describe(hub: &Hub, address: &Address) -> Result<Remote> {
    let remote = match hub.describe(address) {
        Err(HubError::Broken { wait, .. }) => {
            std::thread::sleep(wait.unwrap_or(Duration::from_secs(1)));
            hub.describe(address)
        }
        other => other,
    };
    let remote = remote.map_err(|error| anyhow::anyhow!("{error}"))?;
    if let Some((size_bytes, sha256)) = address.known.and_then(|known| known.tested)
        && (remote.size_bytes, remote.sha256.as_str()) != (size_bytes, sha256)
    {
        bail!(
            "{}: the hub has another file than the one that was tested ({} bytes, SHA-256 {}); to fetch that one all the \
             same, ask for another name of it, or take a file of your own with `mixing-buddy model use FILE`",
            address.name,
            remote.size_bytes,
            remote.sha256
        );
    }
    Ok(remote)
}

/// Asks the user on a terminal.
fn agree(host: &str, remote: &Remote, json: bool) -> Result<()> {
    if json || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        bail!("nothing was fetched: there is no terminal to ask on. Say with --yes that you agree");
    }
    let mut out = std::io::stderr();
    let question = format!("Fetch {} from {host}? [y/N] ", size_text(remote.size_bytes));
    out.write_all(question.as_bytes()).and_then(|()| out.flush()).context("the question cannot be asked")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("the answer cannot be read")?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was fetched"),
    }
}

/// Takes the lock, fetches, and gives the file its place.
fn bring(
    hub: &Hub,
    store: &Store,
    (address, remote): (&Address, &Remote),
    cancel: &CancelFlag,
    reporter: &mut Reporter,
) -> Result<std::path::PathBuf> {
    let mut is_told = false;
    let _held_until_the_end = loop {
        if let Some(lock) = store.lock(address, &remote.sha256)? {
            break lock;
        }
        if !is_told {
            reporter.tell(Event::Waiting)?;
            is_told = true;
        }
        if cancel.is_cancelled() {
            return Err(Stopped.into());
        }
        std::thread::sleep(LOOK_AGAIN);
    };
    // Who held the lock may have fetched it, or another commit has the same content.
    let content = store.content(address, &remote.sha256);
    if !content.exists() {
        store.prepare(address)?;
        let part = store.part(address, &remote.sha256);
        transfer(hub, (address, remote), &part, cancel, &mut |event| reporter.tell(event))?;
    }
    store.keep(address, &remote.sha256, &remote.commit)
}

/// Whether a file has the checksum of the known model, or the one that its content is named by.
fn is_whole(address: &Address, path: &Path) -> Result<bool> {
    let cannot = || format!("{} cannot be read", path.display());
    let content = path.canonicalize().with_context(cannot)?;
    let named = content.file_name().and_then(|name| name.to_str()).filter(|name| name.len() == 64);
    let tested = address.known.and_then(|known| known.tested).map(|(_, sha256)| sha256);
    let Some(expected) = named.or(tested) else { return Ok(true) };
    let mut file = File::open(&content).with_context(cannot)?;
    let found = hash_of(&mut file, &CancelFlag::new()).with_context(cannot)?;
    Ok(format!("{:x}", found.finalize()) == expected)
}
