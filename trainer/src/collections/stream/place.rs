//! Where a shard is.

use super::braces::expand;
use anyhow::{Context, Result, ensure};
use flate2::read::MultiGzDecoder;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use url::Url;

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// Where a shard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this disk.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// In an object store, or behind HTTP.
    Address(Url),
}

impl Place {
    /// The places that a pattern names: files, addresses, or `-` for standard input, with numbers in braces.
    ///
    /// # Errors
    /// When an address is none, or the pattern stands for too many.
    pub fn all(pattern: &str) -> Result<Vec<Place>> {
        expand(pattern)?.iter().map(|name| Self::one(name)).collect()
    }

    /// The place of this name.
    ///
    /// # Errors
    /// When it looks like an address, but is none.
    pub fn one(name: &str) -> Result<Place> {
        Ok(match name {
            "-" => Place::Stdin,
            _ if is_address(name) => {
                Place::Address(name.parse().with_context(|| format!("'{name}' is not an address"))?)
            }
            _ => Place::File(name.into()),
        })
    }

    /// The name of the shard, without its endings.
    pub fn stem(&self) -> Result<String> {
        let name = match self {
            Place::Stdin => return Ok("stdin".into()),
            Place::File(path) => path.file_name().and_then(|name| name.to_str()),
            Place::Address(url) => url.path_segments().and_then(|mut segments| segments.next_back()),
        };
        let stem = name.and_then(|name| name.split('.').next()).unwrap_or_default();
        ensure!(!stem.is_empty(), "{self} does not name a file");
        Ok(stem.to_string())
    }

    /// Opens it; what ends in `.gz` or `.tgz` is unpacked.
    ///
    /// # Errors
    /// When it cannot be opened, or this build cannot read from there.
    pub fn open(&self) -> Result<Box<dyn Read>> {
        let bytes: Box<dyn Read> = match self {
            Place::Stdin => Box::new(std::io::stdin()),
            Place::File(path) => Box::new(File::open(path)?),
            Place::Address(url) => open_address(url)?,
        };
        let bytes = BufReader::with_capacity(BUFFER_BYTES, bytes);
        let is_packed = match self {
            Place::Stdin => false,
            Place::File(path) => is_packed(path),
            Place::Address(url) => is_packed(Path::new(url.path())),
        };
        Ok(if is_packed { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::Stdin => f.write_str("standard input"),
            // What stands before and behind the path may be a password or a signature.
            Place::Address(url) => {
                write!(f, "{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
            }
        }
    }
}

/// Whether a name is an address: it starts with a scheme.
pub fn is_address(name: &str) -> bool {
    name.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn is_packed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ["gz", "tgz"].iter().any(|packed| ending.eq_ignore_ascii_case(packed)))
}

#[cfg(feature = "stores")]
fn open_address(url: &Url) -> Result<Box<dyn Read>> {
    Ok(Box::new(super::stores::open(url)?))
}

#[cfg(not(feature = "stores"))]
fn open_address(url: &Url) -> Result<Box<dyn Read>> {
    Err(no_stores(url))
}

/// What a build without stores says of an address.
#[cfg(not(feature = "stores"))]
pub fn no_stores(url: &Url) -> anyhow::Error {
    anyhow::anyhow!(
        "{} is an address, which this build cannot read: build with --features stores, or pipe the shards in \
         (--shards -)",
        Place::Address(url.clone())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_where_a_shard_is() {
        assert_eq!(Place::one("-").unwrap(), Place::Stdin);
        assert_eq!(Place::all("a/b-{1..2}.tar").unwrap()[1], Place::File("a/b-2.tar".into()));
        let address = Place::all("s3://user:word@bucket/a-{0..1}.tar.gz?key=secret").unwrap().remove(1);
        assert_eq!(
            (address.to_string().as_str(), address.stem().unwrap().as_str()),
            ("s3://bucket/a-1.tar.gz", "a-1")
        );
        assert!(Place::one("http://").unwrap_err().to_string().contains("is not an address"));
        assert!(Place::one("http://host/").unwrap().stem().is_err());
    }
}
