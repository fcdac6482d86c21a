// SPDX-License-Identifier: MIT

//! tokio's mpsc channels: the works of ../belay.c. There is no rendezvous; several receivers share
//! one channel's by a Mutex.

use harness::tasks::{here, inside, runtime};
use harness::{arg, tell};
use std::sync::Arc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{channel, Receiver, Sender};
use tokio::sync::Mutex;

// ---- Alone

async fn send_and_receive(n: usize) {
    let (tx, mut rx) = channel(1);
    for i in 0..n {
        tx.send(i).await.unwrap();
        assert_eq!(rx.recv().await, Some(i));
    }
}

fn work_alone() {
    inside(async { tell("ns", here(send_and_receive).await) });
}

fn work_try_recv() {
    let (_tx, mut rx) = channel::<usize>(1);
    tell(
        "ns",
        harness::here(|n| {
            for _ in 0..n {
                assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            }
        }),
    );
}

// ---- There and back

/// One that asks, and one that answers.
struct Side {
    tx: Sender<usize>,
    rx: Receiver<usize>,
}

fn sides() -> (Side, Side) {
    let ((tx, there), (back, rx)) = (channel(arg("capacity", 1)), channel(arg("capacity", 1)));
    (Side { tx, rx }, Side { tx: back, rx: there })
}

async fn ask(mut side: Side, n: usize) {
    for i in 0..n {
        side.tx.send(i).await.unwrap();
        assert_eq!(side.rx.recv().await, Some(i));
    }
}

async fn answer(mut side: Side) {
    while let Some(question) = side.rx.recv().await {
        side.tx.send(question).await.unwrap();
    }
}

fn ask_as_a_thread(mut side: Side, n: usize) {
    for i in 0..n {
        side.tx.blocking_send(i).unwrap();
        assert_eq!(side.rx.blocking_recv(), Some(i));
    }
}

fn answer_as_a_thread(mut side: Side) {
    while let Some(question) = side.rx.blocking_recv() {
        side.tx.blocking_send(question).unwrap();
    }
}

async fn there_and_back(n: usize) {
    let (one, other) = sides();
    let tasks = (tokio::spawn(ask(one, n)), tokio::spawn(answer(other)));
    tasks.0.await.unwrap();
    tasks.1.await.unwrap();
}

fn work_one_place() {
    inside(async { tell("ns", here(there_and_back).await) });
}

fn work_one_place_threads() {
    tell(
        "ns",
        harness::here(|n| {
            let (one, other) = sides();
            std::thread::scope(|scope| {
                scope.spawn(move || ask_as_a_thread(one, n));
                scope.spawn(move || answer_as_a_thread(other));
            });
        }),
    );
}

fn work_one_place_mixed() {
    let runtime = runtime();
    tell(
        "ns",
        harness::here(|n| {
            let (one, other) = sides();
            let task = runtime.spawn(answer(other));
            ask_as_a_thread(one, n);
            runtime.block_on(task).unwrap();
        }),
    );
}

// ---- Streams

async fn send_all(tx: Sender<usize>, n: usize) {
    for i in 0..n {
        tx.send(i).await.unwrap();
    }
}

/// Until the last sender has gone.
async fn receive_all(mut rx: Receiver<usize>) -> usize {
    let mut received = 0;
    while rx.recv().await.is_some() {
        received += 1;
    }
    received
}

async fn receive_some(rx: Arc<Mutex<Receiver<usize>>>) -> usize {
    let mut received = 0;
    loop {
        let element = rx.lock().await.recv().await;
        if element.is_none() {
            return received;
        }
        received += 1;
    }
}

async fn run_stream(senders: usize, receivers: usize, n: usize) {
    let (tx, rx) = channel(arg("capacity", 128));
    let mut receiving = Vec::new();
    if receivers == 1 {
        receiving.push(tokio::spawn(receive_all(rx)));
    } else {
        let rx = Arc::new(Mutex::new(rx));
        receiving.extend((0..receivers).map(|_| tokio::spawn(receive_some(rx.clone()))));
    }
    for _ in 0..senders {
        tokio::spawn(send_all(tx.clone(), n / senders));
    }
    drop(tx);
    let mut received = 0;
    for task in receiving {
        received += task.await.unwrap();
    }
    assert_eq!(received, n / senders * senders);
}

fn work_stream() {
    let (senders, receivers) = (arg("senders", 1), arg("receivers", 1));
    inside(async move { tell("ns", here(|n| run_stream(senders, receivers, n)).await) });
}

fn main() {
    harness::main(&[
        ("alone", work_alone),
        ("try_recv", work_try_recv),
        ("one_place", work_one_place),
        ("one_place_threads", work_one_place_threads),
        ("one_place_mixed", work_one_place_mixed),
        ("stream", work_stream),
    ]);
}
