//! The end of a file: whether it had the length that it stated.

use super::{FileStream, SHORT_S};
use crate::error::{Error, Result};

impl FileStream {
    /// Checks that the file had the length that it stated.
    pub(super) fn check_end(&mut self) -> Result<()> {
        let bad = |reason: String| Err(Error::audio(&self.path, reason));
        let given_s = self.seconds(self.given);
        if self.bad_packets > 1 && self.bad_packets * 100 > self.packets {
            let (damaged, all) = (self.bad_packets, self.packets);
            return bad(format!("is damaged: {damaged} of {all} packets cannot be decoded"));
        }
        let is_short =
            self.stated_frames.is_some_and(|stated| self.given + self.largest_packet.max(1) < stated);
        match (&self.break_reason, self.duration_s()) {
            (Some(reason), Some(stated_s)) if is_short => {
                bad(format!("{reason} (after {given_s:.1} s of {stated_s:.1} s)"))
            }
            (Some(reason), None) => bad(format!("{reason} (after {given_s:.1} s)")),
            (None, Some(stated_s)) if is_short => {
                bad(format!("is cut off after {given_s:.1} s of {stated_s:.1} s"))
            }
            _ if self.given == 0 => bad("holds no sound".into()),
            (_, Some(stated_s)) if stated_s - given_s > SHORT_S => {
                self.notes.push(format!("ends {:.2} s early: its last part is missing", stated_s - given_s));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
