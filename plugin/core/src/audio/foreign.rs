//! Names of files that are not read: archives, projects, documents, pictures, and sound of other kinds.
//!
//! A file is recognized by the bytes at its own start. What lies further inside (a stem in an archive, a sample in a
//! project) is not looked for.

/// What to do with a file that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advice {
    /// It holds files.
    Unpack,
    /// It belongs to a program that can write sound.
    Export,
    /// It holds sound that another program can decode.
    Convert,
    /// It holds no sound.
    None,
}

/// A signature: its offset, its bytes, the name with an article, and the advice.
type Signature = (usize, &'static [u8], &'static str, Advice);

/// In this order: the first that fits names the file.
const SIGNATURES: &[Signature] = &[
    // Archives and compressed files.
    (0, b"PK\x03\x04", "a ZIP archive, or a project or document stored as one", Advice::Unpack),
    (0, b"PK\x05\x06", "an empty ZIP archive", Advice::None),
    (0, b"PK\x07\x08", "a part of a ZIP archive", Advice::Unpack),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", Advice::Unpack),
    (0, b"Rar!\x1a\x07", "a RAR archive", Advice::Unpack),
    (257, b"ustar", "a tar archive", Advice::Unpack),
    (0, b"BZh", "a bzip2 file", Advice::Unpack),
    (0, b"\xfd7zXZ\0", "an xz file", Advice::Unpack),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file", Advice::Unpack),
    (0, b"MSCF", "a cabinet archive", Advice::Unpack),
    (0, b"xar!", "a xar archive", Advice::Unpack),
    (0, b"!<arch>\n", "an ar archive", Advice::Unpack),
    (0, b"\x1f\x8b", "a gzip file, as Ableton Live's sets (.als) are", Advice::Export),
    // Projects of audio workstations, MIDI, tracker modules, sample libraries.
    (0, b"<REAPER_PROJECT", "a project of REAPER", Advice::Export),
    (1, b"0010111100101011", "a session of Pro Tools", Advice::Export),
    (0, b"FLhd", "a project of FL Studio", Advice::Export),
    (0, b"BtWg", "a project of Bitwig Studio", Advice::Export),
    (0, b"\x23\x47\xc0\xab", "a project of Logic", Advice::Export),
    (0, b"MThd", "a MIDI file, which holds notes and no sound", Advice::Export),
    (0, b"SQLite format 3\0", "a database, as Audacity's projects (.aup3) are", Advice::Export),
    (0, b"IMPM", "a tracker module", Advice::Export),
    (0, b"Extended Module: ", "a tracker module", Advice::Export),
    (44, b"SCRM", "a tracker module", Advice::Export),
    (1080, b"M.K.", "a tracker module", Advice::Export),
    // Sound.
    (0, b"wvpk", "a WavPack file", Advice::Convert),
    (0, b"MAC ", "a Monkey's Audio file (.ape)", Advice::Convert),
    (0, b"MPCK", "a Musepack file", Advice::Convert),
    (0, b"MP+", "a Musepack file", Advice::Convert),
    (0, b"tBaK", "a TAK file", Advice::Convert),
    (0, b"TTA1", "a True Audio file", Advice::Convert),
    (0, b"TTA2", "a True Audio file", Advice::Convert),
    (0, b"OFR ", "an OptimFROG file", Advice::Convert),
    (0, b"ajkg", "a Shorten file", Advice::Convert),
    (0, b"DSD ", "a DSD file", Advice::Convert),
    (0, b"FRM8", "a DSDIFF file", Advice::Convert),
    (0, b".snd", "an AU file", Advice::Convert),
    (0, b"#!AMR", "an AMR file", Advice::Convert),
    (0, b"Creative Voice File", "a VOC file", Advice::Convert),
    (0, b"NIST_1A", "a NIST SPHERE file", Advice::Convert),
    (0, b"RIFX", "a big-endian WAV file (RIFX)", Advice::Convert),
    (0, b"\x0b\x77", "a Dolby Digital file (AC-3)", Advice::Convert),
    (0, b"\x7f\xfe\x80\x01", "a DTS file", Advice::Convert),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file (WMA, WMV or ASF)", Advice::Convert),
    (0, b".RMF", "a RealMedia file", Advice::Convert),
    (0, b"FLV\x01", "a Flash video", Advice::Convert),
    (0, b"\0\0\x01\xba", "an MPEG video", Advice::Convert),
    (0, b"\0\0\x01\xb3", "an MPEG video", Advice::Convert),
    // Pictures.
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture", Advice::None),
    (0, b"\xff\xd8\xff", "a JPEG picture", Advice::None),
    (0, b"GIF8", "a GIF picture", Advice::None),
    (0, b"II*\0", "a TIFF picture", Advice::None),
    (0, b"MM\0*", "a TIFF picture", Advice::None),
    (0, b"8BPS", "a Photoshop picture", Advice::None),
    // Documents, programs and what file systems leave behind.
    (0, b"%PDF", "a PDF document", Advice::None),
    (0, b"{\\rtf", "an RTF document", Advice::None),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of an older Microsoft Office", Advice::None),
    (
        0,
        b"\0\x05\x16\x07",
        "what macOS stores beside a file (AppleDouble, ._…), not the file itself",
        Advice::None,
    ),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself", Advice::None),
    (0, b"\x7fELF", "a program", Advice::None),
    (0, b"MZ", "a program", Advice::None),
];

/// Forms of a RIFF file other than `WAVE`.
const RIFF_FORMS: &[(&[u8; 4], &str, Advice)] = &[
    (b"AVI ", "an AVI video", Advice::Convert),
    (b"WEBP", "a WebP picture", Advice::None),
    (b"NUND", "a project of Cubase or Nuendo", Advice::Export),
    (b"sfbk", "a SoundFont", Advice::Export),
    (b"RMID", "a MIDI file, which holds notes and no sound", Advice::Export),
    (b"RMP3", "an MP3 file with a RIFF head", Advice::Convert),
    (b"CDDA", "a pointer to a track of a CD", Advice::None),
];

/// Brands of an MP4 file (`ftyp`) that are pictures.
const PICTURE_BRANDS: [&[u8; 4]; 6] = [b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis"];

/// A sentence without subject about a file that starts with `head`; none if the head is not known.
pub(super) fn describe(head: &[u8]) -> Option<String> {
    let at = |offset: usize, bytes: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(bytes));
    if at(0, b"RIFF") {
        let form = head.get(8..12)?;
        let known = RIFF_FORMS.iter().find(|(known, ..)| known.as_slice() == form);
        return known.map(|(_, name, advice)| sentence(name, *advice));
    }
    if at(4, b"ftyp") && PICTURE_BRANDS.iter().any(|brand| at(8, *brand)) {
        return Some(sentence("a picture (HEIF or AVIF)", Advice::None));
    }
    // 188 bytes is the length of a packet of a transport stream.
    if (0..4).all(|n| at(188 * n, b"G")) {
        return Some(sentence("an MPEG transport stream", Advice::Convert));
    }
    let known = SIGNATURES.iter().find(|(offset, bytes, ..)| at(*offset, bytes));
    known.map(|(_, _, name, advice)| sentence(name, *advice)).or_else(|| describe_text(head))
}

/// XML, HTML or plain text.
fn describe_text(head: &[u8]) -> Option<String> {
    let start = &head[..head.len().min(1024)];
    // A character may be cut in two at the end.
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(cause) if start.len() - cause.valid_up_to() < 4 => {
            std::str::from_utf8(&start[..cause.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    if text.len() < 8 || text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let word = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    Some(match () {
        () if word.contains("<ableton") => sentence("a set of Ableton Live", Advice::Export),
        () if word.starts_with("<!doctype html") || word.starts_with("<html") => {
            sentence("a web page", Advice::None)
        }
        () if word.starts_with("<?xml") => sentence("an XML document", Advice::None),
        () => sentence("a text file", Advice::None),
    })
}

fn sentence(name: &str, advice: Advice) -> String {
    match advice {
        Advice::Unpack => {
            format!("is not an audio file that can be read: it is {name}. Unpack it and give the song itself")
        }
        Advice::Export => format!(
            "is not an audio file that can be read: it is {name}. Export the mix as WAV or FLAC and give that file"
        ),
        Advice::Convert => format!("is {name}, which cannot be read. Convert it to WAV or FLAC"),
        Advice::None => format!("is not an audio file that can be read: it is {name}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_is_found_by_its_own_name() {
        for (offset, bytes, name, _) in SIGNATURES {
            let mut head = vec![0xAA; *offset];
            head.extend_from_slice(bytes);
            head.resize(2048, 0x81);
            let text = describe(&head).unwrap();
            assert!(text.contains(name), "{name}: {text}");
        }
        for (form, name, _) in RIFF_FORMS {
            let head = [b"RIFF\x10\0\0\0".as_slice(), form.as_slice(), &[0; 8]].concat();
            assert!(describe(&head).unwrap().contains(name), "{name}");
        }
    }

    #[test]
    fn heads_of_sound_are_not_foreign() {
        for head in [
            b"RIFF\x24\0\0\0WAVEfmt ".as_slice(),
            b"fLaC\0\0\0\x22",
            b"OggS\0\x02\0\0",
            b"\0\0\0\x20ftypM4A ",
            b"FORM\0\0\0\0AIFF",
            b"caff\0\x01\0\0",
            b"\xff\xfb\x90\x64\0\0\0\0",
            b"ID3\x04\0\0\0\0\0\0",
        ] {
            assert_eq!(describe(head), None, "{head:?}");
        }
    }

    #[test]
    fn text_is_told_from_bytes() {
        assert!(describe("Notizen über den Mix\n".as_bytes()).unwrap().contains("a text file"));
        assert!(
            describe(b"<?xml version=\"1.0\"?><Ableton MajorVersion=\"5\">").unwrap().contains("Ableton")
        );
        assert!(describe(b"<!DOCTYPE html><html>").unwrap().contains("web page"));
        assert_eq!(describe(&[0x81; 64]), None);
    }
}
