//! Answers of the broker to publishes: confirms, refusals and returned messages.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use lapin::message::BasicReturnMessage;
use lapin::{Confirmation, Error, PublisherConfirm};
use tokio::time::Instant;

use crate::ledger::event::Answer;

/// A message that has no answer yet.
pub struct Waiting {
    pub n: u32,
    pub until: Instant,
    pub confirm: PublisherConfirm,
}

/// What came back on a channel.
#[derive(Default)]
pub struct Answers {
    pub spans: Vec<Answer>,
    pub returned: Vec<BasicReturnMessage>,
    /// Messages whose answer will never come on this channel.
    pub orphans: Vec<u32>,
    pub error: Option<Error>,
}

impl Answers {
    fn add(&mut self, n: u32, confirmation: Result<Confirmation, Error>) {
        let (ack, returned) = match confirmation {
            Ok(Confirmation::Ack(returned)) => (true, returned),
            Ok(Confirmation::Nack(returned)) => (false, returned),
            Ok(Confirmation::NotRequested) => return,
            Err(error) => {
                self.orphans.push(n);
                self.error.get_or_insert(error);
                return;
            }
        };
        self.returned.extend(returned);
        match self.spans.last_mut() {
            Some(last) if last.ack == ack && last.first + last.count == n => last.count += 1,
            _ => self.spans.push(Answer { first: n, count: 1, ack }),
        }
    }

    fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.error.is_none()
    }
}

/// Waits for the oldest answer that is waited for, or for any that is late, and takes every
/// further one that is there.
pub async fn answers(waiting: &mut VecDeque<Waiting>, late: &mut Vec<Waiting>) -> Answers {
    poll_fn(|context| {
        let mut found = Answers::default();
        late.retain_mut(|one| match Pin::new(&mut one.confirm).poll(context) {
            Poll::Ready(confirmation) => {
                found.add(one.n, confirmation);
                false
            }
            Poll::Pending => true,
        });
        while let Some(front) = waiting.front_mut() {
            match Pin::new(&mut front.confirm).poll(context) {
                Poll::Ready(confirmation) => {
                    found.add(front.n, confirmation);
                    waiting.pop_front();
                }
                Poll::Pending => break,
            }
        }
        if found.is_empty() { Poll::Pending } else { Poll::Ready(found) }
    })
    .await
}
