// SPDX-License-Identifier: MIT

//! tokio-util's CancellationToken: the works of ../../works.h, and how late a deadline is.
//!
//! A token has no deadline: one is a token, and beside it a sleep that the runtime's wheel holds.

mod later;
mod tree;

use harness::{cpu, tell, tell_at, wall};
use tokio_util::sync::CancellationToken;

/// Sees to it that what will be timed is done.
fn open_root() -> CancellationToken {
    let root = CancellationToken::new();
    let child = root.child_token();
    let grandchild = child.child_token();
    assert!(!child.is_cancelled() && !grandchild.is_cancelled());
    child.cancel();
    assert!(child.is_cancelled() && grandchild.is_cancelled() && !root.is_cancelled());
    root
}

fn open_and_end(parent: &CancellationToken, n: usize) {
    for _ in 0..n {
        let child = parent.child_token();
        harness::keep(&child);
        child.cancel();
    }
}

fn work_cancel() {
    let root = open_root();
    tell("ns", cpu(|n| open_and_end(&root, n)));
}

fn work_shared() {
    let root = open_root();
    let threads = harness::arg("threads", harness::processors());
    tell("ns", wall(threads, move |n| open_and_end(&root, n)));
}

/// Ten times as many siblings from one point to the next.
fn work_cancel_growth() {
    let root = open_root();
    let most = harness::arg("live", 1_000_000);
    let mut others = Vec::with_capacity(most);
    let mut x = 1;
    while x <= most {
        others.resize_with(x, || root.child_token());
        tell_at("ns", x, cpu(|n| open_and_end(&root, n)));
        x *= 10;
    }
}

fn ask(token: &CancellationToken, n: usize) {
    let mut done = 0;
    for _ in 0..n {
        done += token.is_cancelled() as usize;
        harness::keep(&done);
    }
    assert!(done == 0 || done == n);
}

fn work_err() {
    let root = open_root();
    tell("live", cpu(|n| ask(&root, n)));
    root.cancel();
    tell("done", cpu(|n| ask(&root, n)));
}

fn work_memory() {
    let root = open_root();
    let n = harness::arg("contexts", 1_000_000);
    let before = harness::resident();
    let all: Vec<_> = (0..n).map(|_| root.child_token()).collect();
    let live = harness::resident();
    drop(all);
    tell("live", (live - before) / n as f64);
    tell("left", (harness::resident() - before) / n as f64);
}

/// For each operation, once all pools are as big as they get.
fn tell_allocations(figure: &str, mut work: impl FnMut(usize)) {
    let n = harness::arg("n", 100_000);
    work(n);
    if let Some(before) = harness::allocations() {
        work(n);
        tell(figure, (harness::allocations().unwrap() - before) / n as f64);
    }
}

fn work_allocations() {
    let root = open_root();
    tell_allocations("cancel", |n| open_and_end(&root, n));
    later::with_runtime(|| tell_allocations("timeout", |n| later::open_and_end(&root, n)));
}

fn main() {
    harness::main(&[
        ("cancel", work_cancel),
        ("shared", work_shared),
        ("cancel_growth", work_cancel_growth),
        ("err", work_err),
        ("memory", work_memory),
        ("allocations", work_allocations),
        ("wide", tree::work_wide),
        ("deep", tree::work_deep),
        ("stall", tree::work_stall),
        ("timeout", later::work_timeout),
        ("timeout_crowd", later::work_timeout_crowd),
        ("timeout_growth", later::work_timeout_growth),
        ("memory_timeout", later::work_memory_timeout),
        ("lateness", later::work_lateness),
    ]);
}
