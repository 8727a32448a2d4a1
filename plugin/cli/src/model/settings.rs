//! The hub's settings from its variables of the environment, as its own programs read them.

use anyhow::{Context, Result};
use std::path::PathBuf;
use url::Url;

/// Where the hub is, where its files lie here, and who asks.
pub struct HubSettings {
    /// Address of the hub: `HF_ENDPOINT`, else huggingface.co. Its path ends with a slash.
    pub endpoint: Url,
    /// Folder of its files: `HF_HUB_CACHE`, else `hub` in the hub's folder (`HF_HOME`, else `~/.cache/huggingface`).
    pub cache: PathBuf,
    /// Token of the user's account: `HF_TOKEN`, else the file that `hf auth login` writes. Sent to the hub alone.
    pub token: Option<String>,
    /// Whether nothing may be fetched: the option, or `HF_HUB_OFFLINE`.
    pub is_offline: bool,
}

impl HubSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// When `HF_ENDPOINT` is no address, or the user has no home folder and no variable names another.
    pub fn from_environment(offline: bool) -> Result<Self> {
        let home = match folder("HF_HOME") {
            Some(home) => Ok(home),
            None => folder("XDG_CACHE_HOME")
                .map_or_else(|| etcetera::home_dir().map(|home| home.join(".cache")), Ok)
                .map(|cache| cache.join("huggingface")),
        };
        let home = home.context("there is no folder for the hub's files; set HF_HOME");
        let cache = match folder("HF_HUB_CACHE").or_else(|| folder("HUGGINGFACE_HUB_CACHE")) {
            Some(cache) => cache,
            None => {
                home.as_ref().map(|home| home.join("hub")).map_err(|error| anyhow::anyhow!("{error:#}"))?
            }
        };
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let wrong =
            || format!("HF_ENDPOINT: '{endpoint}' is no address of a hub, such as https://huggingface.co");
        let mut url = Url::parse(endpoint.trim_end_matches('/')).with_context(wrong)?;
        anyhow::ensure!(matches!(url.scheme(), "http" | "https") && url.has_host(), wrong());
        url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
        let token_file = folder("HF_TOKEN_PATH").or_else(|| home.ok().map(|home| home.join("token")));
        let token = text("HF_TOKEN").or_else(|| {
            let token = std::fs::read_to_string(token_file?).ok()?.trim().to_string();
            (!token.is_empty()).then_some(token)
        });
        let is_offline = offline
            || text("HF_HUB_OFFLINE")
                .is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str()));
        Ok(HubSettings { endpoint: url, cache, token, is_offline })
    }

    /// The hub's name for messages.
    pub fn host(&self) -> &str {
        self.endpoint.host_str().unwrap_or("the hub")
    }
}

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_string()).filter(|value| !value.is_empty())
}

fn folder(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
