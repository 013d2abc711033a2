//! The rules that guarantees follow from, as a table that people can read.

/// Why a count is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    Never,
    Published,
    Together,
    PublisherDies,
    Confirmed,
    Unchecked,
    Unanswered,
    Republished,
    Returned,
    Replied,
    Answered,
    Routing,
    QueueComes,
    Consumed,
    NobodyConsumes,
    Perhaps,
    Held,
    Leaves,
    Refusing,
    Returning,
    Expiry,
    FullQueue,
    DeadLetters,
    Limit,
    AutoAckDeath,
    EarlyAckDeath,
    Requeued,
    Forgotten,
    Acks,
    Stream,
    QueueGoes,
    NotSent,
    BrokerRestarts,
    Transient,
    Flagged,
    Leaderless,
    BrokerEnds,
    Settings,
    Errors,
    Probed,
    Rounds,
}

/// All of them, in the order of the documentation.
pub const ALL: [Rule; 41] = [
    Rule::Never,
    Rule::Published,
    Rule::Together,
    Rule::PublisherDies,
    Rule::Confirmed,
    Rule::Unchecked,
    Rule::Unanswered,
    Rule::Republished,
    Rule::Returned,
    Rule::Replied,
    Rule::Answered,
    Rule::Routing,
    Rule::QueueComes,
    Rule::Consumed,
    Rule::NobodyConsumes,
    Rule::Perhaps,
    Rule::Held,
    Rule::Leaves,
    Rule::Refusing,
    Rule::Returning,
    Rule::Expiry,
    Rule::FullQueue,
    Rule::DeadLetters,
    Rule::Limit,
    Rule::AutoAckDeath,
    Rule::EarlyAckDeath,
    Rule::Requeued,
    Rule::Forgotten,
    Rule::Acks,
    Rule::Stream,
    Rule::QueueGoes,
    Rule::NotSent,
    Rule::BrokerRestarts,
    Rule::Transient,
    Rule::Flagged,
    Rule::Leaderless,
    Rule::BrokerEnds,
    Rule::Settings,
    Rule::Errors,
    Rule::Probed,
    Rule::Rounds,
];

/// Where the words below are from.
const CONFIRMS: &str = "https://www.rabbitmq.com/docs/confirms";
const CONSUMERS: &str = "https://www.rabbitmq.com/docs/consumers";
const QUEUES: &str = "https://www.rabbitmq.com/docs/queues";
const MODEL: &str = "https://www.rabbitmq.com/tutorials/amqp-concepts";
const FORMAT: &str = "docs/scenario-format.md";
const ACCOUNTING: &str = "docs/accounting.md";

impl Rule {
    /// The word by which reports call it.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The rule of that name.
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The rule in one sentence.
    pub fn says(self) -> &'static str {
        self.row().1
    }

    /// The page that the rule is from.
    pub fn source(self) -> &'static str {
        self.row().2
    }

    #[rustfmt::skip]
    fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Rule::Never => ("never", "nothing in the file makes it happen", ACCOUNTING),
            Rule::Published => ("published", "a producer that nothing ends publishes all its messages", FORMAT),
            Rule::Together => ("together", "a producer without a rate hands over its first messages together, up to 64, before it can hear that one was refused", FORMAT),
            Rule::PublisherDies => ("publisher-dies", "a producer that ends has published what it had come to by then", FORMAT),
            Rule::Confirmed => ("confirmed", "a broker that stays up answers each publish, also one that no queue gets", CONFIRMS),
            Rule::Unchecked => ("unchecked", "without confirms nobody is told what became of a publish", CONFIRMS),
            Rule::Unanswered => ("unanswered", "what is on its way when its connection ends stays without an answer", CONFIRMS),
            Rule::Republished => ("republished", "after a lost connection what had no answer is published again, and may be there twice", CONFIRMS),
            Rule::Returned => ("returned", "a mandatory message that no queue gets comes back, and is confirmed", "https://www.rabbitmq.com/docs/publishers"),
            Rule::Replied => ("replied", "each request has an answer or none; how many come in time depends on who works", "https://www.rabbitmq.com/docs/direct-reply-to"),
            Rule::Answered => ("answered", "nobody dies and everybody replies: each request is answered, and a late answer counts, too", FORMAT),
            Rule::Routing => ("routing", "each message goes to every queue that the bindings lead it to, once", MODEL),
            Rule::QueueComes => ("queue-comes", "what is published while a queue is not there, or comes or goes, may miss it", QUEUES),
            Rule::Consumed => ("consumed", "nobody dies and nothing is taken: each copy is worked on once", CONSUMERS),
            Rule::NobodyConsumes => ("nobody-consumes", "a queue that nobody consumes from keeps what it gets", QUEUES),
            Rule::Perhaps => ("perhaps", "whether somebody is there to consume depends on what happens", CONSUMERS),
            Rule::Held => ("held", "what a worker holds that stands still and keeps its connection stays with it", CONSUMERS),
            Rule::Leaves => ("leaves", "the only worker leaves after so many works, and the rest stays", FORMAT),
            Rule::Refusing => ("refusing", "the file says which messages are refused", "https://www.rabbitmq.com/docs/nack"),
            Rule::Returning => ("returning", "what is refused with requeue comes again, flagged as redelivered", "https://www.rabbitmq.com/docs/nack"),
            Rule::Expiry => ("expiry", "what waits longer than its time to live is removed", "https://www.rabbitmq.com/docs/ttl"),
            Rule::FullQueue => ("full-queue", "a queue gives up only what is beyond its limit", "https://www.rabbitmq.com/docs/maxlength"),
            Rule::DeadLetters => ("dead-letters", "what leaves its queue goes to the queues behind its dead-letter exchange", "https://www.rabbitmq.com/docs/dlx"),
            Rule::Limit => ("delivery-limit", "a quorum queue removes what came back more often than its limit, which is 20 unless said from RabbitMQ 4.0 on", "https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling"),
            Rule::AutoAckDeath => ("auto-ack-death", "under automatic acks what was sent to a consumer that ends is gone", CONFIRMS),
            Rule::EarlyAckDeath => ("early-ack-death", "a worker that acks first takes along the one message that it works on", CONFIRMS),
            Rule::Requeued => ("requeued", "what a consumer that ends had not acked comes back, flagged; what it had finished is done twice", CONSUMERS),
            Rule::Forgotten => ("forgotten", "what is never acked stays in its queue, and comes back when its consumer ends", CONFIRMS),
            Rule::Acks => ("acks", "a worker acks what it has finished; not at all under automatic acks", CONFIRMS),
            Rule::Stream => ("stream", "a stream keeps everything, and each of its readers gets it from its offset on", "https://www.rabbitmq.com/docs/streams"),
            Rule::QueueGoes => ("queue-goes", "a queue that is deleted, purged or goes by itself takes along what is in it", QUEUES),
            Rule::NotSent => ("not-sent", "without confirms, what is on its way when its connection ends may never arrive", CONFIRMS),
            Rule::BrokerRestarts => ("broker-restarts", "a broker that stops in good order keeps what is persistent in durable queues, and gives back what consumers held", "https://www.rabbitmq.com/docs/persistence-conf"),
            Rule::Transient => ("transient", "transient messages in a classic queue, and queues that are not durable, do not outlive their broker", "https://www.rabbitmq.com/docs/queues#durability"),
            Rule::Flagged => ("flagged", "a classic queue flags all that it still has after its broker was killed", ACCOUNTING),
            Rule::Leaderless => ("leaderless", "a quorum queue whose leader is away refuses what a channel publishes that is new to it", "https://www.rabbitmq.com/docs/quorum-queues#leader-election"),
            Rule::BrokerEnds => ("broker-ends", "what a broker keeps that is killed, parted or does not come back depends on the moment", ACCOUNTING),
            Rule::Settings => ("settings", "what settings of the broker's own do is not foretold, but for how long it waits for an ack", FORMAT),
            Rule::Errors => ("errors", "a program that the broker refuses ends, whenever that is", ACCOUNTING),
            Rule::Probed => ("probed", "a probe takes from this queue, or adds to it", FORMAT),
            Rule::Rounds => ("rounds", "dead letters that come back to their queue make new copies", "https://www.rabbitmq.com/docs/dlx#automatic-dead-lettering-cycles"),
        }
    }
}
