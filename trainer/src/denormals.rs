//! Denormal numbers, which are too small to matter.

/// Does `work` with numbers under 1.2e-38 treated as zero, where the processor can.
///
/// Gradients and attention fade into such numbers, and some processors multiply a hundred times slower with them: a
/// step of the shipped advisor took 3.2 s instead of 0.4 s (`trainer/RUNS.md`). On Linux, threads inherit this from the
/// one that starts them.
pub fn without_denormals<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the compiler assumes the processor's usual settings, so that results which it computes itself may differ
    // from those of the running program by such a number; nothing here depends on one.
    unsafe { no_denormals::no_denormals(work) }
}

#[cfg(test)]
mod tests {
    use super::without_denormals;
    use std::hint::black_box;

    #[test]
    fn small_numbers_are_zero_inside_and_in_its_threads_and_unchanged_outside() {
        // Hidden on both sides, so that the product is computed at run time, in this place.
        let product = || black_box(black_box(1e-30f32) * black_box(1e-10f32));
        assert!(product() > 0.0);
        let (here, in_thread) =
            without_denormals(|| (product(), std::thread::scope(|scope| scope.spawn(product).join())));
        assert_eq!(here, 0.0);
        if cfg!(target_os = "linux") {
            assert_eq!(in_thread.ok(), Some(0.0));
        }
        assert!(product() > 0.0);
    }
}
