//! Rotary positions and grouped-query attention over the cache, in single precision.

use super::cache::HeadCache;
use super::math;
use super::team::Team;
use crate::decoder::DecoderConfig;
use gemm::Parallelism;

/// Sizes of the attention.
#[derive(Clone, Copy)]
pub struct Heads {
    /// Query heads.
    pub queries: usize,
    /// Query heads that share a key and value head.
    pub sharing: usize,
    /// Width of a head.
    pub width: usize,
}

impl Heads {
    /// Those of a model.
    pub fn of(config: &DecoderConfig) -> Self {
        Heads {
            queries: config.num_attention_heads,
            sharing: config.num_attention_heads / config.num_key_value_heads,
            width: config.block().head_dim(),
        }
    }
}

/// Cosines and sines of some positions, `[positions, width / 2]`.
pub struct Angles {
    cosines: Vec<f32>,
    sines: Vec<f32>,
    half: usize,
}

impl Angles {
    /// Angles `position · theta^(-2i / width)` (Su et al. 2021) of `count` positions from `first`.
    pub fn new(theta: f64, width: usize, first: usize, count: usize) -> Self {
        let half = width / 2;
        let speeds: Vec<f64> = (0..half).map(|i| theta.powf(-2.0 * i as f64 / width as f64)).collect();
        let angles =
            (first..first + count).flat_map(|position| speeds.iter().map(move |s| position as f64 * s));
        let (cosines, sines) = angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip();
        Angles { cosines, sines, half }
    }

    /// Rotates all heads of each token of `rows`, `[tokens, heads · width]`.
    pub fn rotate(&self, rows: &mut [f32], row: usize) {
        for (token, heads) in rows.chunks_exact_mut(row).enumerate() {
            let at = token * self.half..(token + 1) * self.half;
            for head in heads.chunks_exact_mut(2 * self.half) {
                math::rotate(head, &self.cosines[at.clone()], &self.sines[at.clone()]);
            }
        }
    }
}

/// Pointers that threads share; each head reads and writes its own part.
struct Shared {
    queries: *const f32,
    out: *mut f32,
}

// SAFETY: `attend` gives each thread other heads.
unsafe impl Sync for Shared {}

/// Attention of `tokens` new tokens, whose keys and values are the last of the cache.
///
/// `queries` and `out` are `[tokens, heads · width]`.
///
/// # Panics
/// When the sizes do not fit each other.
pub fn attend(
    team: &Team<'_>,
    heads: Heads,
    queries: &[f32],
    cache: &[HeadCache],
    tokens: usize,
    out: &mut [f32],
) {
    let row = heads.queries * heads.width;
    assert!(queries.len() == tokens * row && out.len() == queries.len());
    assert!(cache.len() * heads.sharing == heads.queries && tokens > 0);
    let shared = Shared { queries: queries.as_ptr(), out: out.as_mut_ptr() };
    if tokens == 1 {
        // The heads that share keys are the rows of one product.
        for (group, head) in cache.iter().enumerate() {
            let at = group * heads.sharing * heads.width;
            let place = Rows { count: heads.sharing, stride: heads.width, at };
            // SAFETY: the rows are heads of the only token.
            unsafe { attend_rows(&shared, place, heads.width, head, |_| 0) };
        }
        return;
    }
    team.split(heads.queries, 1, &|part| {
        for query in part {
            let place = Rows { count: tokens, stride: row, at: query * heads.width };
            // SAFETY: the rows are this head's part of each token, and the parts of a split are different heads.
            unsafe {
                attend_rows(&shared, place, heads.width, &cache[query / heads.sharing], |row| {
                    tokens - 1 - row
                })
            };
        }
    });
}

/// Rows of queries: how many, how far apart, and where the first is.
#[derive(Clone, Copy)]
struct Rows {
    count: usize,
    stride: usize,
    at: usize,
}

/// Attention of some rows over one head's cache. `unseen` is the number of last tokens that a row must not see.
///
/// # Safety
/// The rows must be inside of queries and output, and nobody else may use those of the output.
unsafe fn attend_rows(
    shared: &Shared,
    rows: Rows,
    width: usize,
    head: &HeadCache,
    unseen: impl Fn(usize) -> usize,
) {
    let known = head.keys.len() / width;
    assert!(head.keys.len() == known * width && head.values.len() == known * width);
    let mut scores = vec![0.0f32; rows.count * known];
    // SAFETY: `scores` is [rows, known], keys [known, width]; the queries' rows are inside by the caller's promise.
    unsafe {
        gemm::gemm(
            rows.count,
            known,
            width,
            scores.as_mut_ptr(),
            1,
            known as isize,
            false,
            shared.queries.add(rows.at),
            1,
            rows.stride as isize,
            head.keys.as_ptr(),
            width as isize,
            1,
            0.0,
            1.0 / (width as f32).sqrt(),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
    for (row, scores) in scores.chunks_exact_mut(known).enumerate() {
        let (seen, unseen) = scores.split_at_mut(known - unseen(row));
        math::softmax(seen);
        unseen.fill(0.0);
    }
    // SAFETY: values are [known, width]; the output's rows are inside and nobody else's by the caller's promise.
    unsafe {
        gemm::gemm(
            rows.count,
            width,
            known,
            shared.out.add(rows.at),
            1,
            rows.stride as isize,
            false,
            scores.as_ptr(),
            1,
            known as isize,
            head.values.as_ptr(),
            1,
            width as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
