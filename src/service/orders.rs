//! The way to the listener, which may hang in the sound system: nobody waits for it, and no order gets lost.

use std::collections::VecDeque;

use crossbeam_channel::{Sender, TrySendError};

use super::listener::Order;
use crate::control::CommandError;

/// Orders on their way. What the listener has no room for stays here, at most one of each kind: a newer order replaces
/// the older one that it makes pointless.
pub struct Orders {
    queue: Sender<Order>,
    kept: VecDeque<Order>,
}

impl Orders {
    pub fn new(queue: Sender<Order>) -> Self {
        Self { queue, kept: VecDeque::new() }
    }

    /// Gives an order. One for audio is answered at once where there is no room for it: its caller waits.
    pub fn give(&mut self, order: Order) {
        self.send_kept();
        if self.kept.is_empty() {
            match self.queue.try_send(order) {
                // Without a listener the supervisor is about to end.
                Ok(()) | Err(TrySendError::Disconnected(_)) => {}
                Err(TrySendError::Full(order)) => {
                    tracing::error!("the listener hangs: its orders wait");
                    self.keep(order);
                }
            }
        } else {
            self.keep(order);
        }
    }

    /// Sends what had no room before. To be called every now and then.
    pub fn send_kept(&mut self) {
        while let Some(order) = self.kept.pop_front() {
            if let Err(TrySendError::Full(order)) = self.queue.try_send(order) {
                return self.kept.push_front(order);
            }
        }
    }

    fn keep(&mut self, order: Order) {
        match &order {
            Order::OpenAudio { answer, .. } => {
                // The answer has room; whoever no longer waits for it needs none.
                let _ = answer.send(Err(CommandError::Busy("the sound system does not answer")));
                return;
            }
            Order::Open(_) | Order::Close => {
                self.kept.retain(|older| !matches!(older, Order::Open(_) | Order::Close));
            }
            // A new engine knows what the updates before it said.
            Order::Engine(_) => {
                self.kept.retain(|older| !matches!(older, Order::Engine(_) | Order::Update(..)));
            }
            Order::Update(..) => self.kept.retain(|older| !matches!(older, Order::Update(..))),
            Order::CloseAudio(owner) => {
                self.kept.retain(|older| !matches!(older, Order::CloseAudio(other) if other == owner));
            }
        }
        self.kept.push_back(order);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crossbeam_channel::bounded;

    use super::*;
    use crate::engine::rule::Rule;

    fn update(threshold: f32) -> Order {
        Order::Update(Vec::new(), Arc::default(), Rule { threshold, ..Rule::default() })
    }

    #[test]
    fn a_full_queue_loses_no_order() {
        let (queue, taken) = bounded(1);
        let mut orders = Orders::new(queue);
        orders.give(Order::Close);
        orders.give(Order::Open(Default::default()));
        for threshold in [1.0, 2.0, 3.0] {
            orders.give(update(threshold));
        }
        orders.give(Order::Close);
        assert_eq!(orders.kept.len(), 2);
        let mut seen = Vec::new();
        while let Ok(order) = taken.try_recv() {
            seen.push(match order {
                Order::Update(_, _, rule) => format!("update {}", rule.threshold),
                Order::Close => "close".into(),
                _ => "another".into(),
            });
            orders.send_kept();
        }
        assert_eq!(seen, ["close", "update 3", "close"]);
    }

    #[test]
    fn audio_that_cannot_be_handed_over_is_refused_at_once() {
        let (queue, _taken) = bounded(0);
        let (answer, reply) = bounded(1);
        Orders::new(queue).give(Order::OpenAudio { preroll_ms: 0, owner: String::new(), answer });
        assert!(matches!(reply.try_recv().unwrap(), Err(CommandError::Busy(_))));
    }
}
