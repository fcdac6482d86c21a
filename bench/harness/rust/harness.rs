// SPDX-License-Identifier: MIT

//! bench.h for Rust: the same arguments, clocks and figures.

pub mod tasks;

use std::sync::{Arc, Barrier};

/// A work by its name.
pub type Entry = (&'static str, fn());

/// Does what the arguments say.
pub fn main(entries: &[Entry]) {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    for (name, work) in entries {
        if wanted == "list" {
            println!("{name}");
        } else if wanted == *name {
            return work();
        }
    }
    if wanted != "list" {
        eprintln!("usage: list | WORK [NAME=NUMBER]...");
        std::process::exit(2);
    }
}

/// The number after NAME=, or fallback.
pub fn arg(name: &str, fallback: usize) -> usize {
    for given in std::env::args().skip(2) {
        if let Some((key, value)) = given.split_once('=') {
            if key == name {
                return value.parse().expect("a number");
            }
        }
    }
    fallback
}

pub fn tell(figure: &str, value: f64) {
    println!("{figure} {value}");
}

pub fn tell_at(curve: &str, x: usize, value: f64) {
    println!("{curve} {x} {value}");
}

fn clock(which: libc::clockid_t) -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: t is there to be written.
    let err = unsafe { libc::clock_gettime(which, &mut t) };
    assert_eq!(err, 0);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// The monotonic clock, in nanoseconds.
pub fn now() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// Processor time of all threads.
pub fn cpu_now() -> u64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// How long a measurement takes at the least.
pub fn least() -> u64 {
    arg("ms", 100) as u64 * 1_000_000
}

/// Warms up, and never counts.
pub(crate) const FIRST_TRY: usize = 100;

pub(crate) fn more(n: usize, took: u64, least: u64) -> usize {
    let wanted = 1.1 * n as f64 * least as f64 / took.max(1) as f64;
    (wanted.min(100.0 * n as f64) as usize).max(n + 1)
}

/// The processor time of one operation, in nanoseconds.
pub fn cpu(work: impl FnMut(usize)) -> f64 {
    repeat(cpu_now, work)
}

/// By the clock that the argument wall asks for: the one on the wall, or processor time.
pub fn here(work: impl FnMut(usize)) -> f64 {
    repeat(asked_clock(), work)
}

pub(crate) fn asked_clock() -> fn() -> u64 {
    if arg("wall", 0) != 0 {
        now
    } else {
        cpu_now
    }
}

fn repeat(clock: fn() -> u64, mut work: impl FnMut(usize)) -> f64 {
    let least = least();
    let mut n = FIRST_TRY;
    loop {
        let start = clock();
        work(n);
        let took = clock() - start;
        if took >= least && n > FIRST_TRY {
            return took as f64 / n as f64;
        }
        n = more(n, took, least);
    }
}

/// The time of one operation where so many threads do them at once.
pub fn wall(threads: usize, work: impl Fn(usize) + Send + Sync + 'static) -> f64 {
    let least = least();
    let work = Arc::new(work);
    let mut n = FIRST_TRY;
    loop {
        let took = race(threads, n, &work);
        if took >= least && n > FIRST_TRY {
            return took as f64 / (n as f64 * threads as f64);
        }
        n = more(n, took, least);
    }
}

/// From the first start to the last end.
fn race(threads: usize, n: usize, work: &Arc<impl Fn(usize) + Send + Sync + 'static>) -> u64 {
    let line = Arc::new(Barrier::new(threads));
    let run = |_| {
        let (line, work) = (line.clone(), work.clone());
        std::thread::spawn(move || {
            line.wait();
            let start = now();
            work(n);
            (start, now())
        })
    };
    let all: Vec<_> = (0..threads).map(run).collect();
    let times: Vec<_> = all.into_iter().map(|thread| thread.join().unwrap()).collect();
    times.iter().map(|t| t.1).max().unwrap() - times.iter().map(|t| t.0).min().unwrap()
}

/// How many this process may use.
pub fn processors() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// For the compiler: somebody looks at what p points to, and may have changed it.
pub fn keep<T>(p: &T) {
    // SAFETY: nothing is done.
    unsafe { std::arch::asm!("/* {0} */", in(reg) p, options(nostack, preserves_flags)) }
}

pub fn percentile(sorted: &[u64], p: f64) -> u64 {
    sorted[((p * sorted.len() as f64) as usize).min(sorted.len() - 1)]
}

/// 0..n-1 in the order of bench_shuffled().
pub fn shuffled(n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    let mut seed = 1u64;
    for i in (2..=n).rev() {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        order.swap(i - 1, ((seed >> 33) % i as u64) as usize);
    }
    order
}

/// The process's memory in bytes.
pub fn resident() -> f64 {
    read_kib("/proc/self/smaps_rollup", "Rss:")
}

/// The same and the page tables.
pub fn footprint() -> f64 {
    resident() + read_kib("/proc/self/status", "VmPTE:")
}

/// The number of the line "NAME NUMBER kB" of a file of /proc, in bytes.
fn read_kib(path: &str, name: &str) -> f64 {
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

/// Calls for memory so far; None where nobody counts them.
pub fn allocations() -> Option<f64> {
    // SAFETY: the function has this type wherever it is.
    unsafe {
        let name = b"allocations_so_far\0".as_ptr() as *const libc::c_char;
        let count = libc::dlsym(libc::RTLD_DEFAULT, name);
        if count.is_null() {
            return None;
        }
        let count: extern "C" fn() -> libc::c_long = std::mem::transmute(count);
        Some(count() as f64)
    }
}
