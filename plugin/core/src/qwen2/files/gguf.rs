//! The head of a GGUF file: metadata and tensor descriptions, read without trusting any of it.
//!
//! ```text
//! "GGUF"  u32 version  u64 tensors  u64 entries  entries  descriptions  padding  data
//! entry        string key, u32 type, value
//! description  string name, u32 dimensions, u64 for each, u32 format, u64 offset into the data
//! string       u64 length, UTF-8
//! ```
//!
//! Counts and lengths come from the file, so each is compared with what the file still holds before it is used. Lists and
//! strings stay where they are: the head takes a few dozen bytes of memory per entry, whatever the file claims.
//! Source: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use crate::qwen2::format::Format;

/// First bytes of a file.
pub const MAGIC: &[u8; 4] = b"GGUF";
/// Versions that this program reads. Version 1 has shorter lengths and was used for a few weeks of 2023.
const VERSIONS: [u32; 2] = [2, 3];
/// Most entries of metadata. llama.cpp's files have about 30.
const MOST_ENTRIES: u64 = 1024;
/// Most tensors. A Qwen2 of 24 layers has 291.
const MOST_TENSORS: u64 = 16_384;
/// Most dimensions of a tensor (`GGML_MAX_DIMS`).
const MOST_DIMENSIONS: u32 = 4;
/// Where tensors start unless the metadata says otherwise.
const ALIGNMENT: u64 = 32;

/// A value of the metadata. Text and lists are parts of the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// An integer of any width.
    Integer(i128),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// Text.
    Text(&'a str),
    /// A list.
    List(List<'a>),
}

/// A list of the metadata, not yet decoded; all its items were walked once, so they are whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct List<'a> {
    kind: u32,
    count: usize,
    bytes: &'a [u8],
}

impl<'a> List<'a> {
    /// Number of items.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The items.
    pub fn items(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let (kind, mut reader) = (self.kind, Reader { bytes: self.bytes, at: 0 });
        (0..self.count).map_while(move |_| reader.value(kind).ok())
    }

    /// The items, where all are text. An empty list may be of any kind.
    pub fn texts(&self) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        let texts =
            self.items().filter_map(|item| if let Value::Text(text) = item { Some(text) } else { None });
        (self.kind == TEXT || self.count == 0).then_some(texts)
    }
}

/// A tensor's description.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Description<'a> {
    /// Name.
    pub name: &'a str,
    /// Number of dimensions.
    pub rank: usize,
    /// Columns, rows, …, as in the file: the fastest dimension first. Those that are not used are 1.
    pub dimensions: [usize; MOST_DIMENSIONS as usize],
    /// Storage format, none for one that this program does not know; and its number.
    pub format: (Option<Format>, u32),
    /// Start in the file.
    start: usize,
}

impl Description<'_> {
    /// First byte and number of bytes in the file.
    ///
    /// # Errors
    /// A sentence, when the format is unknown or the data would end behind the file's `size`.
    pub fn place(&self, size: usize) -> Result<(Format, usize, usize), String> {
        let name = self.name;
        let Some(format) = self.format.0 else {
            return Err(format!(
                "its tensor '{name}' has the storage format {}, which is not supported",
                self.format.1
            ));
        };
        let rows = self.dimensions[1..].iter().try_fold(1usize, |product, n| product.checked_mul(*n));
        let length =
            format.row_bytes(self.dimensions[0]).zip(rows).and_then(|(row, rows)| row.checked_mul(rows));
        let Some(length) = length else {
            let shape = &self.dimensions[..self.rank];
            return Err(format!(
                "its tensor '{name}' has the shape {shape:?}, which {} cannot have",
                format.name()
            ));
        };
        match self.start.checked_add(length) {
            Some(end) if end <= size => Ok((format, self.start, length)),
            _ => Err(format!("is cut off: its tensor '{name}' would end behind the file")),
        }
    }
}

/// The head of a file.
pub struct Head<'a> {
    entries: Vec<(&'a str, Value<'a>)>,
    tensors: Vec<Description<'a>>,
}

impl<'a> Head<'a> {
    /// Reads the head of a whole file.
    ///
    /// # Errors
    /// A sentence without the file's name.
    pub fn read(file: &'a [u8]) -> Result<Self, String> {
        if !file.starts_with(MAGIC) {
            return Err("is not a GGUF file".into());
        }
        let mut reader = Reader { bytes: file, at: MAGIC.len() };
        let version = reader.u32()?;
        if !VERSIONS.contains(&version) {
            let other_order = VERSIONS.contains(&version.swap_bytes());
            let order = if other_order { " in the byte order of another machine" } else { "" };
            return Err(format!("has GGUF version {version}{order}; this program reads versions 2 and 3"));
        }
        let (tensor_count, entry_count) = (reader.u64()?, reader.u64()?);
        if entry_count > MOST_ENTRIES || tensor_count > MOST_TENSORS {
            return Err(format!(
                "claims {entry_count} entries of metadata and {tensor_count} tensors; \
                 at most {MOST_ENTRIES} and {MOST_TENSORS} are read"
            ));
        }
        let mut entries: Vec<(&str, Value<'_>)> = Vec::new();
        for _ in 0..entry_count {
            let key = reader.text()?;
            let kind = reader.u32()?;
            entries.push((key, reader.value(kind).map_err(|why| format!("{why} (metadata '{key}')"))?));
        }
        let mut tensors: Vec<Description<'_>> = Vec::new();
        for _ in 0..tensor_count {
            tensors.push(reader.description()?);
        }
        let mut head = Head { entries, tensors };
        let alignment = match head.integer("general.alignment") {
            None => ALIGNMENT,
            Some(n) if n.is_power_of_two() && n <= 1 << 20 => n,
            Some(n) => return Err(format!("claims an alignment of {n} bytes")),
        };
        let data = (reader.at as u64).next_multiple_of(alignment);
        for tensor in &mut head.tensors {
            if !(tensor.start as u64).is_multiple_of(alignment) {
                return Err(format!(
                    "its tensor '{}' does not start at a multiple of {alignment}",
                    tensor.name
                ));
            }
            let start = (tensor.start as u64).checked_add(data).and_then(|start| usize::try_from(start).ok());
            tensor.start = start.unwrap_or(usize::MAX);
        }
        Ok(head)
    }

    /// A value of the metadata. With a key twice, the first counts.
    pub fn value(&self, key: &str) -> Option<Value<'a>> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// A value that is a whole number and not negative.
    pub fn integer(&self, key: &str) -> Option<u64> {
        if let Some(Value::Integer(n)) = self.value(key) { u64::try_from(n).ok() } else { None }
    }

    /// A value that is a number.
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.value(key)? {
            Value::Integer(n) => Some(n as f64),
            Value::Number(n) => Some(n),
            _ => None,
        }
    }

    /// A value that is text.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        if let Some(Value::Text(text)) = self.value(key) { Some(text) } else { None }
    }

    /// A value that is a list.
    pub fn list(&self, key: &str) -> Option<List<'a>> {
        if let Some(Value::List(list)) = self.value(key) { Some(list) } else { None }
    }

    /// All tensors, in the order of the file.
    pub fn tensors(&self) -> &[Description<'a>] {
        &self.tensors
    }

    /// A tensor by name.
    pub fn tensor(&self, name: &str) -> Option<&Description<'a>> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

/// Type numbers of text and lists (`gguf_metadata_value_type`).
const TEXT: u32 = 8;
const LIST: u32 = 9;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let taken = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or("is cut off or damaged: its head claims more than the file holds")?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn length(&mut self) -> Result<usize, String> {
        // What does not fit in memory is more than the file holds, which `take` then says.
        Ok(usize::try_from(self.u64()?).unwrap_or(usize::MAX))
    }

    fn text(&mut self) -> Result<&'a str, String> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?)
            .map_err(|_| "is damaged: its head holds text that is no UTF-8".into())
    }

    fn value(&mut self, kind: u32) -> Result<Value<'a>, String> {
        Ok(match kind {
            0 => Value::Integer(u8::from_le_bytes(self.array()?).into()),
            1 => Value::Integer(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Integer(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Integer(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Integer(u32::from_le_bytes(self.array()?).into()),
            5 => Value::Integer(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Number(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Flag(self.array::<1>()?[0] != 0),
            TEXT => Value::Text(self.text()?),
            LIST => Value::List(self.list()?),
            10 => Value::Integer(u64::from_le_bytes(self.array()?).into()),
            11 => Value::Integer(i64::from_le_bytes(self.array()?).into()),
            12 => Value::Number(f64::from_le_bytes(self.array()?)),
            _ => return Err(format!("is damaged: its head has a value of type {kind}")),
        })
    }

    fn list(&mut self) -> Result<List<'a>, String> {
        let kind = self.u32()?;
        let count = self.length()?;
        let start = self.at;
        let size = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            TEXT => {
                // Each text has at least its length, so a count that is too large ends at the end of the file.
                for _ in 0..count {
                    self.text()?;
                }
                0
            }
            LIST => return Err("holds a list of lists, which is not supported".into()),
            _ => return Err(format!("is damaged: its head has a list of type {kind}")),
        };
        self.take(count.saturating_mul(size))?;
        Ok(List { kind, count, bytes: &self.bytes[start..self.at] })
    }

    fn description(&mut self) -> Result<Description<'a>, String> {
        let name = self.text()?;
        let rank = self.u32()?;
        if !(1..=MOST_DIMENSIONS).contains(&rank) {
            return Err(format!("is damaged: its tensor '{name}' has {rank} dimensions"));
        }
        let mut dimensions = [1; MOST_DIMENSIONS as usize];
        for dimension in &mut dimensions[..rank as usize] {
            *dimension = self.length()?;
        }
        let number = self.u32()?;
        let start = self.length()?;
        Ok(Description {
            name,
            rank: rank as usize,
            dimensions,
            format: (Format::of_ggml(number), number),
            start,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let mut bytes = [MAGIC.as_slice(), &3u32.to_le_bytes(), &0u64.to_le_bytes()].concat();
        bytes.extend((entries.len() as u64).to_le_bytes());
        for (key, kind, value) in entries {
            bytes.extend((key.len() as u64).to_le_bytes());
            bytes.extend(key.as_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(*value);
        }
        bytes
    }

    #[test]
    fn values_of_every_kind_are_read() {
        let list =
            [&TEXT.to_le_bytes()[..], &2u64.to_le_bytes(), &1u64.to_le_bytes(), b"a", &0u64.to_le_bytes()];
        let list = list.concat();
        let bytes = head(&[
            ("u8", 0, &[7]),
            ("i8", 1, &[0xff]),
            ("f32", 6, &1.5f32.to_le_bytes()),
            ("flag", 7, &[1]),
            ("list", LIST, &list),
            ("i64", 11, &(-3i64).to_le_bytes()),
        ]);
        let head = Head::read(&bytes).unwrap();
        assert_eq!(head.integer("u8"), Some(7));
        assert_eq!(head.value("i8"), Some(Value::Integer(-1)));
        assert_eq!(head.integer("i8"), None, "it is negative");
        assert_eq!(head.number("f32"), Some(1.5));
        assert_eq!(head.value("flag"), Some(Value::Flag(true)));
        assert_eq!(head.number("i64"), Some(-3.0));
        let list = head.list("list").unwrap();
        assert_eq!(list.texts().unwrap().collect::<Vec<_>>(), ["a", ""]);
        assert_eq!((list.len(), list.is_empty()), (2, false));
    }

    #[test]
    fn counts_beyond_the_file_are_refused() {
        let huge = [&4u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
        let why = |bytes: &[u8]| Head::read(bytes).err().unwrap();
        assert!(why(&head(&[("numbers", LIST, &huge)])).contains("'numbers'"));
        assert!(
            why(&head(&[("text", TEXT, &u64::MAX.to_le_bytes())]))
                .contains("claims more than the file holds")
        );
        let mut many = head(&[]);
        many[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(why(&many).contains("entries of metadata"));
        assert!(why(b"GGUF\0\0\0\x03").contains("byte order"));
        assert!(why(b"PK").contains("not a GGUF file"));
    }
}
