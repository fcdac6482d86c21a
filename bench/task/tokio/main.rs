// SPDX-License-Identifier: MIT

//! tokio's tasks: the works of ../belay.c. Many that are in a receive at the same time share a
//! broadcast channel, the only one of tokio's that has many receivers.

use harness::tasks::{here, inside, runtime};
use harness::{arg, cpu_now, footprint, now, processors, tell};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, Notify};
use tokio::task::{spawn_blocking, yield_now, JoinHandle};
use tokio_util::sync::CancellationToken;

// ---- Started and joined

fn start(ran: &Arc<AtomicUsize>) -> JoinHandle<()> {
    let ran = ran.clone();
    tokio::spawn(async move {
        ran.fetch_add(1, Ordering::Relaxed);
    })
}

async fn start_and_join(at_a_time: usize, n: usize) {
    let ran = Arc::new(AtomicUsize::new(0));
    let mut running = Vec::with_capacity(at_a_time);
    let mut left = n;
    while left > 0 {
        let now = left.min(at_a_time);
        running.extend((0..now).map(|_| start(&ran)));
        for task in running.drain(..) {
            task.await.unwrap();
        }
        left -= now;
    }
    assert_eq!(ran.load(Ordering::Relaxed), n);
}

fn work_spawn() {
    let at_a_time = arg("at_a_time", 1);
    inside(async move { tell("ns", here(|n| start_and_join(at_a_time, n)).await) });
}

/// What is blocked on runs on the calling thread.
fn work_spawn_outside() {
    let at_a_time = arg("at_a_time", 1);
    let runtime = runtime();
    tell("ns", harness::here(|n| runtime.block_on(start_and_join(at_a_time, n))));
}

// ---- Changing over, sleeping

async fn yield_to_each_other(tasks: usize, n: usize) {
    let yield_often = || async move {
        for _ in 0..n / tasks + 1 {
            yield_now().await;
        }
    };
    let running: Vec<_> = (0..tasks).map(|_| tokio::spawn(yield_often())).collect();
    for task in running {
        task.await.unwrap();
    }
}

fn work_yield() {
    let tasks = 2 * processors();
    inside(async move { tell("ns", here(|n| yield_to_each_other(tasks, n)).await) });
}

async fn sleep_often(times: usize) {
    for _ in 0..times {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn work_sleep() {
    let (tasks, times) = (arg("tasks", 100_000), arg("times", 10));
    inside(async move {
        let start = cpu_now();
        let running: Vec<_> = (0..tasks).map(|_| tokio::spawn(sleep_often(times))).collect();
        for task in running {
            task.await.unwrap();
        }
        tell("ns", (cpu_now() - start) as f64 / (tasks * times) as f64);
    });
}

// ---- Many that wait

/// Told when as many have passed as were expected.
struct Gate {
    left: AtomicUsize,
    empty: Notify,
}

impl Gate {
    fn new(expected: usize) -> Gate {
        Gate { left: AtomicUsize::new(expected), empty: Notify::new() }
    }

    fn pass(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.empty.notify_one();
        }
    }
}

struct Crowd {
    ch: broadcast::Sender<()>,
    token: CancellationToken,
    arriving: Gate,
    leaving: Gate,
}

async fn wait_in_receive(crowd: Arc<Crowd>) {
    let mut ch = crowd.ch.subscribe();
    crowd.arriving.pass();
    tokio::select! {
        _ = ch.recv() => panic!("an element from nowhere"),
        _ = crowd.token.cancelled() => (),
    }
    drop(ch);
    crowd.leaving.pass();
}

fn milliseconds(since: u64) -> f64 {
    (now() - since) as f64 / 1e6
}

async fn tell_crowd(n: usize) {
    let crowd = Arc::new(Crowd {
        ch: broadcast::channel(1).0,
        token: CancellationToken::new(),
        arriving: Gate::new(n),
        leaving: Gate::new(n),
    });
    let (before, start) = (footprint(), now());
    for _ in 0..n {
        tokio::spawn(wait_in_receive(crowd.clone()));
    }
    crowd.arriving.empty.notified().await;
    tell("make", milliseconds(start));
    tell("live", (footprint() - before) / n as f64);
    let start = now();
    crowd.token.cancel();
    crowd.leaving.empty.notified().await;
    tell("cancel", milliseconds(start));
}

fn work_crowd() {
    inside(tell_crowd(arg("live", 10_000)));
}

// ---- What blocks

async fn call_what_blocks(n: usize) {
    let called = Arc::new(AtomicUsize::new(0));
    for _ in 0..n {
        let called = called.clone();
        let count = move || called.fetch_add(1, Ordering::Relaxed);
        spawn_blocking(count).await.unwrap();
    }
    assert_eq!(called.load(Ordering::Relaxed), n);
}

fn work_blocking() {
    inside(async { tell("ns", here(call_what_blocks).await) });
}

fn main() {
    harness::main(&[
        ("spawn", work_spawn),
        ("spawn_outside", work_spawn_outside),
        ("yield", work_yield),
        ("sleep", work_sleep),
        ("crowd", work_crowd),
        ("few", work_crowd),
        ("blocking", work_blocking),
    ]);
}
