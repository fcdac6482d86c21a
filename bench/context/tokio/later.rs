// SPDX-License-Identifier: MIT

//! Tokens with a deadline.

use harness::{self, cpu, tell, tell_at, wall};
use crate::open_root;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

const HOUR: Duration = Duration::from_secs(3600);

/// Nobody to wake.
fn nobody() -> Waker {
    const TABLE: RawWakerVTable = RawWakerVTable::new(|_| NOBODY, |_| {}, |_| {}, |_| {});
    const NOBODY: RawWaker = RawWaker::new(std::ptr::null(), &TABLE);
    // SAFETY: the functions do nothing, with nothing.
    unsafe { Waker::from_raw(NOBODY) }
}

fn runtime() -> Runtime {
    let workers = harness::processors();
    Builder::new_multi_thread().worker_threads(workers).enable_time().build().unwrap()
}

/// What fn does may arm timers.
pub fn with_runtime(work: impl FnOnce()) {
    let runtime = runtime();
    let _guard = runtime.enter();
    work();
}

/// The first poll puts a sleep into the wheel.
fn arm(sleep: Pin<&mut Sleep>) {
    let armed = sleep.poll(&mut Context::from_waker(&nobody()));
    assert!(armed == Poll::Pending);
}

pub fn open_and_end(parent: &CancellationToken, n: usize) {
    for _ in 0..n {
        let child = parent.child_token();
        let sleep = tokio::time::sleep(HOUR);
        tokio::pin!(sleep);
        arm(sleep.as_mut());
        child.cancel();
    }
}

type Later = (CancellationToken, Pin<Box<Sleep>>);

fn open(parent: &CancellationToken, timeout: Duration) -> Later {
    let child = parent.child_token();
    let mut sleep = Box::pin(tokio::time::sleep(timeout));
    arm(sleep.as_mut());
    (child, sleep)
}

pub fn work_timeout() {
    let root = open_root();
    with_runtime(|| tell("ns", cpu(|n| open_and_end(&root, n))));
}

/// Other timers that stay.
pub fn work_timeout_crowd() {
    let root = open_root();
    let runtime = runtime();
    let _guard = runtime.enter();
    let others: Vec<_> = (0..harness::arg("timers", 400_000))
        .map(|i| open(&root, HOUR + Duration::from_millis(i as u64)))
        .collect();
    let threads = harness::arg("threads", harness::processors());
    let handle = runtime.handle().clone();
    tell("ns", wall(threads, move |n| {
        let _guard = handle.enter();
        open_and_end(&root, n);
    }));
    drop(others);
}

pub fn work_timeout_growth() {
    let root = open_root();
    let most = harness::arg("live", 1_000_000);
    with_runtime(|| {
        let mut others = Vec::with_capacity(most);
        let mut x = 1;
        while x <= most {
            others.resize_with(x, || open(&root, HOUR));
            tell_at("ns", x, cpu(|n| open_and_end(&root, n)));
            x *= 10;
        }
    });
}

pub fn work_memory_timeout() {
    let root = open_root();
    let n = harness::arg("contexts", 1_000_000);
    with_runtime(|| {
        let before = harness::resident();
        let all: Vec<_> = (0..n).map(|_| open(&root, HOUR)).collect();
        let live = harness::resident();
        drop(all);
        tell("live", (live - before) / n as f64);
        tell("left", (harness::resident() - before) / n as f64);
    });
}

// ---- How late a deadline is

/// A task that cancels the token when it is due, unless that has been done.
fn expire_at(runtime: &Runtime, token: CancellationToken, when: Instant) {
    runtime.spawn(async move {
        tokio::time::sleep_until(when.into()).await;
        token.cancel();
    });
}

/// One task for each worker that does nothing else.
fn start_computing(runtime: &Runtime, over: &Arc<AtomicBool>) {
    for _ in 0..harness::processors() {
        let over = over.clone();
        runtime.spawn(async move { while !over.load(Ordering::Relaxed) {} });
    }
}

/// A plain thread waits for one after the other, in the order in which they are due.
fn tell_lateness(runtime: &Runtime, first: Instant, step: Duration, tokens: &[CancellationToken]) {
    let mut late = Vec::with_capacity(tokens.len());
    for (i, token) in tokens.iter().enumerate() {
        runtime.block_on(token.cancelled());
        late.push((Instant::now() - (first + step * i as u32)).as_nanos() as u64);
    }
    late.sort_unstable();
    tell("p50", harness::percentile(&late, 0.5) as f64 / 1000.0);
    tell("p99", harness::percentile(&late, 0.99) as f64 / 1000.0);
    tell("max", late[late.len() - 1] as f64 / 1000.0);
}

/// Busy workers hold back their deadlines: they compute until a while after the last one is due, or
/// nothing would ever be.
pub fn work_lateness() {
    let (root, runtime) = (open_root(), runtime());
    let n = harness::arg("deadlines", 10_000);
    let span = Duration::from_millis(harness::arg("span_ms", 1000) as u64);
    let (first, step) = (Instant::now() + span / 5, span / n as u32);
    let tokens: Vec<_> = (0..n).map(|_| root.child_token()).collect();
    for i in harness::shuffled(n) {
        expire_at(&runtime, tokens[i].clone(), first + step * i as u32);
    }
    let over = Arc::new(AtomicBool::new(false));
    if harness::arg("busy", 0) != 0 {
        std::thread::sleep(span / 10); // so that the tasks have armed their timers
        start_computing(&runtime, &over);
        let over = over.clone();
        std::thread::spawn(move || {
            std::thread::sleep(first + span + span / 5 - Instant::now());
            over.store(true, Ordering::Relaxed);
        });
    }
    tell_lateness(&runtime, first, step, &tokens);
    over.store(true, Ordering::Relaxed);
}
