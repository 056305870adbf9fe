//! What the system's allocator is told, with the only `unsafe` of the program.
//!
//! glibc keeps what a thread has freed for that thread, and by default the more of it the larger the
//! blocks were: a plan's listings, a commit's record and what grew while answers were decoded stayed
//! taken long after. Other systems' allocators do without.

/// Blocks of this size and more are given back as soon as they are free. 1 MiB is where it costs
/// nothing: a smaller limit makes the system clear the same pages again and again (1.03 of the CPU at
/// half of it with as little kept free), a larger one keeps more (10,000 tasks of 200 calls take 144 MiB
/// with it, and 162 with glibc's own, which moves).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const AT_ONCE: i32 = 1 << 20;

/// To be called before anything else.
pub fn prepare() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no other way to say it")]
    // SAFETY: both take numbers and change only what later calls of the allocator do. If it won't
    // have them, it goes on as it does by default.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, AT_ONCE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, AT_ONCE);
    }
}

/// Gives all memory that is free back to the system, in some milliseconds: for moments when much was
/// needed that won't be again, or before something else is needed that would come on top. 200,000
/// tasks of 3 calls take 106 MiB, and 125 if a commit begins with what its rows took.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no other way to ask for it")]
    // SAFETY: it takes a number, may be called at any time from any thread, and touches only memory
    // that nobody has.
    unsafe {
        libc::malloc_trim(0);
    }
}
