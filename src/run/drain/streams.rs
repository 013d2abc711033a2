//! Reading a stream to its end. Nothing says how long it is: its numbers lag by seconds. So a
//! mark is published behind everything else, and what comes before it is all there is.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::BasicProperties;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use tokio::time::{Instant, sleep, timeout};

use crate::run::drain::{Drain, GRACE, PATIENCE};
use crate::run::identity;
use crate::run::stage::Stage;

/// A stream sends so many and waits for acks.
const CREDIT: u16 = 1000;
const STEP: Duration = Duration::from_millis(50);

impl Drain {
    /// Reads it from its first message to a mark.
    pub(super) async fn read_to_the_end(&mut self, stage: &Stage) {
        let qos = self.channel.basic_qos(CREDIT, BasicQosOptions::default());
        let confirms = self.channel.confirm_select(ConfirmSelectOptions::default());
        let both = async { Ok::<_, lapin::Error>((qos.await?, confirms.await?)) };
        if !matches!(timeout(PATIENCE, both).await, Ok(Ok(_))) {
            return;
        }
        let mut table = FieldTable::default();
        table.insert("x-stream-offset".into(), AMQPValue::LongString("first".into()));
        self.consumer = self.consume(BasicConsumeOptions::default(), table).await;
        let began = Instant::now();
        let mut mark = 0_u32;
        // What was published without a confirm may come behind the mark.
        while self.read_to_mark(stage, mark).await {
            self.write(stage).await;
            if began.elapsed() > GRACE || !stage.scribe.is_outstanding().await {
                self.seen_empty = true;
                return;
            }
            mark += 1;
            sleep(STEP).await;
        }
    }

    /// Publishes a mark and reads until it comes. Whether it came.
    async fn read_to_mark(&mut self, stage: &Stage, number: u32) -> bool {
        let id = identity::mark(&stage.run, number);
        let published = self.channel.basic_publish(
            "".into(),
            self.real.as_str().into(),
            BasicPublishOptions::default(),
            b"",
            BasicProperties::default().with_message_id(id.as_str().into()),
        );
        let confirmed = timeout(PATIENCE, async { published.await?.await }).await;
        if !matches!(confirmed, Ok(Ok(_))) {
            return false;
        }
        let Some(mut consumer) = self.consumer.take() else { return false };
        let mut came = false;
        while let Ok(Some(Ok(delivery))) = timeout(PATIENCE, consumer.next()).await {
            let properties = &delivery.properties;
            let this = properties.message_id().as_ref().map(|id| id.as_str().to_owned());
            let tag = delivery.delivery_tag;
            if tag.is_multiple_of(u64::from(CREDIT / 4)) {
                let ack = BasicAckOptions { multiple: true };
                // A channel that is broken delivers no mark.
                let _ = self.channel.basic_ack(tag, ack).await;
            }
            if this.as_deref() == Some(&id) {
                came = true;
                break;
            }
            if !this.is_some_and(|this| identity::is_mark(&stage.run, &this)) {
                self.count(stage, properties).await;
            }
        }
        self.consumer = Some(consumer);
        came
    }
}
