// SPDX-License-Identifier: MIT

//! A tree's end.

use harness::{self, tell};
use crate::{open_and_end, open_root};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Spent {
    make: u64,
    cancel: u64,
    free: u64,
}

impl Spent {
    fn all(&self) -> u64 {
        self.make + self.cancel + self.free
    }

    fn tell(&self, nodes: f64) {
        tell("make", self.make as f64 / nodes);
        tell("cancel", self.cancel as f64 / nodes);
        tell("free", self.free as f64 / nodes);
        tell("all", self.all() as f64 / nodes);
    }
}

fn spend_on_wide(n: usize) -> Spent {
    let parent = CancellationToken::new();
    let mut children = Vec::with_capacity(n);
    let t0 = harness::cpu_now();
    children.resize_with(n, || parent.child_token());
    let t1 = harness::cpu_now();
    parent.cancel();
    let t2 = harness::cpu_now();
    assert!([0, n / 2, n - 1].iter().all(|&i| children[i].is_cancelled()));
    for child in &children {
        child.cancel();
    }
    drop(children);
    let t3 = harness::cpu_now();
    Spent { make: t1 - t0, cancel: t2 - t1, free: t3 - t2 }
}

/// The second time counts.
pub fn work_wide() {
    let n = harness::arg("children", 1_000_000);
    spend_on_wide(n);
    spend_on_wide(n).tell(n as f64);
}

fn spend_on_deep(chain: &mut Vec<CancellationToken>, n: usize, spent: &mut Spent) {
    let t0 = harness::cpu_now();
    chain.push(CancellationToken::new());
    for i in 1..n {
        let next = chain[i - 1].child_token();
        chain.push(next);
    }
    let t1 = harness::cpu_now();
    chain[0].cancel();
    let t2 = harness::cpu_now();
    assert!(chain[n - 1].is_cancelled());
    while let Some(last) = chain.pop() {
        last.cancel();
    }
    let t3 = harness::cpu_now();
    spent.make += t1 - t0;
    spent.cancel += t2 - t1;
    spent.free += t3 - t2;
}

pub fn work_deep() {
    let n = harness::arg("depth", 1000);
    let mut chain = Vec::with_capacity(n);
    spend_on_deep(&mut chain, n, &mut Spent::default());
    let (mut spent, mut times) = (Spent::default(), 0);
    while spent.all() < harness::least() {
        spend_on_deep(&mut chain, n, &mut spent);
        times += 1;
    }
    spent.tell((n * times) as f64);
}

// ---- In the way of a big end: as in works.h

struct Stall {
    parent: CancellationToken,
    warm: CancellationToken,
    children: Vec<Mutex<Option<CancellationToken>>>,
    order: Vec<usize>,
    next: AtomicUsize,
    begun: AtomicBool,
    over: AtomicBool,
    line: Barrier,
}

fn lap(since: &mut u64) -> u64 {
    let before = std::mem::replace(since, harness::now());
    *since - before
}

impl Stall {
    fn end_one_of_its_children(&self) {
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        if i < self.children.len() {
            let child = self.children[self.order[i]].lock().unwrap().take();
            child.unwrap().cancel();
        }
    }

    fn get_in_the_way(&self, samples: &mut Vec<u64>) {
        while !self.begun.load(Ordering::Acquire) {}
        // Once at the least, also where the end was too quick to be seen.
        loop {
            let mut since = harness::now();
            let child = self.parent.child_token();
            samples.push(lap(&mut since));
            child.cancel();
            drop(child);
            samples.push(lap(&mut since));
            self.end_one_of_its_children();
            samples.push(lap(&mut since));
            if self.over.load(Ordering::Acquire) || samples.len() + 3 > samples.capacity() {
                return;
            }
        }
    }

    /// Thread 0 cancels.
    fn run(&self, i: usize) -> Vec<u64> {
        let mut samples = Vec::with_capacity(harness::arg("samples", 4_000_000));
        open_and_end(&self.warm, 1000);
        self.line.wait();
        if i > 0 {
            self.get_in_the_way(&mut samples);
        } else {
            self.begun.store(true, Ordering::Release);
            self.parent.cancel();
            self.over.store(true, Ordering::Release);
        }
        samples
    }
}

pub fn work_stall() {
    let threads = harness::processors().max(2);
    let n = harness::arg("children", 1_000_000);
    let parent = open_root();
    let stall = Stall {
        children: (0..n).map(|_| Mutex::new(Some(parent.child_token()))).collect(),
        parent,
        warm: open_root(),
        order: harness::shuffled(n),
        next: AtomicUsize::new(0),
        begun: AtomicBool::new(false),
        over: AtomicBool::new(false),
        line: Barrier::new(threads),
    };
    let mut all: Vec<u64> = std::thread::scope(|scope| {
        let stall = &stall;
        let runs: Vec<_> = (0..threads).map(|i| scope.spawn(move || stall.run(i))).collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
    });
    assert!(stall.children.iter().all(|child| match &*child.lock().unwrap() {
        Some(child) => child.is_cancelled(),
        None => true,
    }));
    all.sort_unstable();
    tell("p9999", harness::percentile(&all, 0.9999) as f64 / 1000.0);
    tell("max", all[all.len() - 1] as f64 / 1000.0);
    tell("calls", all.len() as f64);
}
