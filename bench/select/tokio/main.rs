// SPDX-License-Identifier: MIT

//! tokio's select!, which begins at a random branch as Go's and Belay's do: the works of
//! ../belay.c.

use harness::tasks::{here, inside};
use harness::{arg, shuffled, tell};
use tokio::sync::mpsc::{channel, Receiver, Sender};
use tokio_util::sync::CancellationToken;

// ---- An element, or done

struct Side {
    token: CancellationToken,
    tx: Sender<usize>,
    rx: Receiver<usize>,
}

impl Side {
    async fn receive(&mut self) -> Option<usize> {
        tokio::select! {
            element = self.rx.recv() => element,
            _ = self.token.cancelled() => panic!("nobody cancelled it"),
        }
    }
}

async fn ask(mut side: Side, n: usize) {
    for i in 0..n {
        side.tx.send(i).await.unwrap();
        assert_eq!(side.receive().await, Some(i));
    }
}

async fn answer(mut side: Side) {
    while let Some(question) = side.receive().await {
        side.tx.send(question).await.unwrap();
    }
}

async fn there_and_back(token: CancellationToken, n: usize) {
    let ((tx, there), (back, rx)) = (channel(arg("capacity", 1)), channel(arg("capacity", 1)));
    let one = Side { token: token.clone(), tx, rx };
    let other = Side { token, tx: back, rx: there };
    let tasks = (tokio::spawn(ask(one, n)), tokio::spawn(answer(other)));
    tasks.0.await.unwrap();
    tasks.1.await.unwrap();
}

fn work_done() {
    let token = CancellationToken::new();
    inside(async move { tell("ns", here(|n| there_and_back(token.clone(), n)).await) });
}

// ---- One of eight

async fn receive_any(rx: &mut [Receiver<usize>; 8]) -> (usize, Option<usize>) {
    let [a, b, c, d, e, f, g, h] = rx;
    tokio::select! {
        element = a.recv() => (0, element),
        element = b.recv() => (1, element),
        element = c.recv() => (2, element),
        element = d.recv() => (3, element),
        element = e.recv() => (4, element),
        element = f.recv() => (5, element),
        element = g.recv() => (6, element),
        element = h.recv() => (7, element),
    }
}

async fn send_to_one(n: usize) {
    let (mut tx, mut rx) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let ends = channel(1);
        tx.push(ends.0);
        rx.push(ends.1);
    }
    let (mut rx, drawn) = (rx.try_into().unwrap(), shuffled(1024));
    for i in 0..n {
        let one = drawn[i % drawn.len()] % 8;
        tx[one].send(i).await.unwrap();
        assert_eq!(receive_any(&mut rx).await, (one, Some(i)));
    }
}

fn work_eight() {
    inside(async { tell("ns", here(send_to_one).await) });
}

fn main() {
    harness::main(&[("done", work_done), ("eight", work_eight)]);
}
