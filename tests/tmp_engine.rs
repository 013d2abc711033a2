use rmq_scenario::broker::{Broker, Choice};
use rmq_scenario::plan::model::*;
use rmq_scenario::plan::pattern::Pattern;
use rmq_scenario::plan::template::{Part, Template};
use rmq_scenario::run::{Audience, run};
use rmq_scenario::scenario::{At, Source};
use rmq_scenario::verdict;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn variant(ack: AckMode) -> Variant {
    Variant {
        name: format!("{ack:?}"),
        vars: vec![],
        seed: 1,
        requires: Requires::default(),
        topology: Topology {
            exchanges: vec![Exchange {
                name: String::new(),
                kind: ExchangeKind::Direct,
                durable: true,
                auto_delete: false,
                internal: false,
            }],
            queues: vec![Queue {
                name: "task_queue".into(),
                durable: true,
                auto_delete: false,
                exclusive: false,
                temporary: false,
                owner: None,
            }],
            bindings: vec![],
        },
        producers: vec![Producer {
            name: "p".into(),
            to: Destination {
                exchange: ExchangeRef::Declared(ExchangeId(0)),
                routing_key: Pattern::Always("task_queue".into()),
            },
            messages: 20,
            rate: None,
            start: None,
            persistent: true,
            confirms: Confirms::Window { in_flight: 100, timeout: Duration::from_secs(5) },
            mandatory: false,
            body: Template { parts: vec![Part::Text("hi".into())] },
            dots: None,
            size: None,
            headers: vec![],
            reconnect: None,
        }],
        producer_groups: vec![Group { name: "p".into(), members: vec![ProducerId(0)] }],
        workers: (1..=2)
            .map(|i| Worker {
                name: format!("worker-{i}"),
                queue: QueueId(0),
                ack,
                prefetch: 0,
                exclusive: false,
                work: Work::Pattern(Pattern::Always(Duration::from_millis(50))),
                start: None,
                stop: None,
                reconnect: None,
            })
            .collect(),
        worker_groups: vec![Group {
            name: "worker".into(),
            members: vec![WorkerId(0), WorkerId(1)],
        }],
        faults: vec![Fault {
            name: None,
            label: "kill worker-1".into(),
            target: Instance::Worker(WorkerId(0)),
            how: KillHow::Crash,
            restart_after: None,
            trigger: Trigger::During(4),
            trigger_text: "during: 4".into(),
            may_miss: false,
            at: At { node: 0, used: None },
        }],
        observations: vec![],
        settle: Settle {
            idle: Duration::from_millis(500),
            at_least: Duration::ZERO,
            deadline: Duration::from_secs(60),
        },
        expectations: vec![],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reference() {
    let broker = Broker::open(
        Choice::Private { server: None },
        Path::new(env!("CARGO_BIN_EXE_rmq-scenario")),
    )
    .await
    .unwrap();
    println!("{} {:?}", broker.version(), broker.ready_after());
    for ack in [AckMode::Auto, AckMode::Manual { every: 1 }, AckMode::Early, AckMode::Never] {
        let v = variant(ack);
        let s = Scenario {
            source: Arc::new(Source { path: "x".into(), text: String::new() }),
            name: "x".into(),
            description: None,
            tags: vec![],
            seed: 1,
            variants: vec![v.clone()],
        };
        let id = format!(
            "t{:?}",
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .subsec_nanos()
        );
        let space = broker.space(&id).await.unwrap();
        let (tx, _rx) = tokio::sync::mpsc::unbounded_channel();
        let (_s, r) = tokio::sync::watch::channel(false);
        let t = std::time::Instant::now();
        let (books, facts) = run(
            Arc::new(v.clone()),
            id,
            space.clone(),
            Audience { interrupted: r, progress: &mut |_| {}, notices: tx },
        )
        .await
        .unwrap();
        println!("run took {:?}", t.elapsed());
        space.close().await.unwrap();
        println!("all took {:?}", t.elapsed());
        let out = verdict::judge(&s, &v, &books, &facts);
        println!("{} {:?} {:?}", out.name, out.verdict, out.reason);
        println!("{}", serde_json::to_string(&out.counts).unwrap());
        for w in &out.workers {
            println!("{w:?}");
        }
        for c in &out.causes {
            println!("{} {}: {}", c.count, c.outcome, c.text);
        }
        for c in &out.notes {
            println!("{c}");
        }
        for f in &out.faults {
            println!("{f:?}");
        }
        for d in &out.diagnostics {
            println!("{}", d.message);
        }
    }
    broker.close().await.unwrap();
}
