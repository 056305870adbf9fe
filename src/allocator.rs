//! Tuning of the system allocator; contains the only `unsafe` code of the program.
//!
//! glibc caches freed memory per thread, and by default caches more the larger the freed blocks
//! were: the memory of a plan's listings, of a commit record and of decode buffers stayed allocated
//! long after use. Other systems' allocators need no tuning.

/// Blocks of this size and more are returned to the system as soon as they are freed. 1 MiB is the
/// size at which that costs nothing: half of it makes the kernel clear the same pages repeatedly
/// (1.03 times the CPU, with as little kept free), a larger one keeps more (10,000 tasks of 200
/// calls take 144 MiB with 1 MiB, and 162 with glibc's own dynamic threshold).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const AT_ONCE: i32 = 1 << 20;

/// Free memory that each thread keeps at the end of its heap when the rest is returned. Threads that
/// decode and encode free and need some hundred kilobytes again and again: with glibc's own 128 KiB
/// the kernel cleared 77,000 pages for 485 MB of responses, with 1 MiB 61,000 (0.975 times the CPU, 2 MB
/// more memory), with 2 MiB 44,000 (0.97 times the CPU, 5 MB more).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: i32 = 1 << 20;

/// Tunes the allocator. Call it before anything else.
pub fn prepare() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no other way to say it")]
    // SAFETY: the calls take integers and only change the behavior of later allocator calls. On
    // failure the defaults stay in place.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, AT_ONCE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, AT_ONCE);
        libc::mallopt(libc::M_TOP_PAD, KEPT);
    }
}

/// Returns all free memory to the system, which takes some milliseconds. For moments after a peak
/// that will not recur, or before another phase that would add to it. 200,000 tasks of 3 calls take
/// 106 MiB, and 125 if a commit starts while the memory of its rows is still held.
pub(crate) fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no other way to ask for it")]
    // SAFETY: it takes an integer, may be called at any time from any thread, and touches only
    // unallocated memory.
    unsafe {
        libc::malloc_trim(0);
    }
}
