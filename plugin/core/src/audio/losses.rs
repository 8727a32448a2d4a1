//! Where sound of a file was lost, as sentences.

/// So many places are named; the rest is counted.
const NAMED: usize = 5;

/// Places where sound could not be decoded.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses {
    /// Start and length in frames.
    places: Vec<(u64, u64)>,
    /// Places beyond those that are kept, and their frames.
    others: (u64, u64),
}

impl Losses {
    /// Notes `frames` frames that became silence at `start`; 0: a packet of unknown length was left out.
    pub(super) fn add(&mut self, start: u64, frames: u64) {
        if let Some((last, len)) = self.places.last_mut()
            && *last + *len == start
            && (*len > 0) == (frames > 0)
        {
            *len += frames;
        } else if self.places.len() < NAMED {
            self.places.push((start, frames));
        } else {
            self.others.0 += 1;
            self.others.1 += frames;
        }
    }

    /// Sentences without subject.
    pub(super) fn describe(&self, rate_hz: u32) -> Vec<String> {
        let seconds = |frames: u64| frames as f64 / f64::from(rate_hz.max(1));
        let mut sentences: Vec<String> = self
            .places
            .iter()
            .map(|&(start, frames)| {
                let at_s = seconds(start);
                if frames == 0 {
                    return format!("has a damaged part at {at_s:.1} s that was left out");
                }
                format!("is damaged at {at_s:.1} s: {:.2} s of it became silence", seconds(frames))
            })
            .collect();
        if self.others.0 > 0 {
            let (count, frames) = self.others;
            sentences
                .push(format!("is damaged at {count} more places: {:.2} s became silence", seconds(frames)));
        }
        sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_place_and_only_the_first_are_named() {
        let mut losses = Losses::default();
        losses.add(8000, 400);
        losses.add(8400, 400);
        losses.add(16_000, 0);
        for n in 3..20 {
            losses.add(n * 8000, 80);
        }
        let sentences = losses.describe(8000);
        assert_eq!(sentences.len(), NAMED + 1);
        assert_eq!(sentences[0], "is damaged at 1.0 s: 0.10 s of it became silence");
        assert_eq!(sentences[1], "has a damaged part at 2.0 s that was left out");
        assert_eq!(sentences[NAMED], "is damaged at 14 more places: 0.14 s became silence");
    }
}
