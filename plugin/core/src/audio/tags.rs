//! Tags before the sound of MP3 and AAC files: ID3v2 and APEv2.

/// Length of the tag that starts here, its head included.
pub(super) fn tag_len(head: &[u8]) -> Option<u64> {
    if head.starts_with(b"ID3") && head.len() >= 10 {
        let size = head.get(6..10)?;
        // ID3v2: four bytes of seven bits each; a footer repeats the head.
        if size.iter().any(|byte| *byte > 0x7f) {
            return None;
        }
        let body = size.iter().fold(0, |sum, byte| sum << 7 | u64::from(*byte));
        let footer = if head[5] & 0x10 != 0 { 10 } else { 0 };
        return Some(10 + body + footer);
    }
    if head.starts_with(b"APETAGEX") {
        let size = u64::from(u32::from_le_bytes(head.get(12..16)?.try_into().ok()?));
        let flags = u32::from_le_bytes(head.get(20..24)?.try_into().ok()?);
        // The size counts the footer, not the head. Bit 29: this is the head.
        return Some(if flags & (1 << 29) != 0 { 32 + size } else { 32 });
    }
    None
}
