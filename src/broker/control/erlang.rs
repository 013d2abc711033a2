//! What a node is asked to do in Erlang, where nothing else reaches it. The functions are
//! RabbitMQ's own; that they exist and do this on 3.10.8, 4.0.5 and 4.3.6 is measured.

use crate::plan::model::Alarm;

/// The cookie of nobody.
const STRANGER: &str = "'rmq-scenario-apart'";

/// What [`is_split`] comes to where it is so.
pub(in crate::broker) const SPLIT: &str = "split";

/// Raises or clears an alarm as the node's own watch over memory and disk does. That one acts
/// when its limit is crossed, which it is not: it clears nothing that it has not raised. Asking
/// for the alarms afterwards, which comes to `ok`, waits until all connections were told.
pub(in crate::broker) fn alarm(alarm: Alarm, on: bool) -> String {
    let source = match alarm {
        Alarm::Memory => "memory",
        Alarm::Disk => "disk",
    };
    let limit = format!("{{resource_limit, {source}, node()}}");
    let act = match on {
        true => format!("set_alarm({{{limit}, []}})"),
        false => format!("clear_alarm({limit})"),
    };
    let seen = format!("lists:keymember({limit}, 1, rabbit_alarm:get_alarms())");
    format!("rabbit_alarm:{act}, case {seen} of {on} -> ok; _ -> ignored end.")
}

/// The node takes its peers for strangers, and hangs up: neither can connect to the other, while
/// clients and tools reach both.
pub(super) fn part(peers: &[&str]) -> String {
    let peers = list(peers);
    format!(
        "[begin erlang:set_cookie(Peer, {STRANGER}), erlang:disconnect_node(Peer) end \
         || Peer <- {peers}], ok."
    )
}

/// And knows them again.
pub(super) fn join(peers: &[&str]) -> String {
    let peers = list(peers);
    format!(
        "Cookie = erlang:get_cookie(), \
         [begin erlang:set_cookie(Peer, Cookie), net_kernel:connect_node(Peer) end \
         || Peer <- {peers}], ok."
    )
}

/// Comes to [`SPLIT`] where a partition has left the node with a history of its own that it will
/// not give up by itself: its database is Mnesia, and it is told to ignore partitions, which is
/// the default. On 4.3, with Khepri, there is no such thing.
pub(in crate::broker) fn is_split() -> String {
    format!(
        "case {{rabbit_node_monitor:partitions(), application:get_env(rabbit, \
         cluster_partition_handling)}} of {{[_ | _], {{ok, ignore}}}} -> {SPLIT}; _ -> whole end."
    )
}

/// What an operator does about it: the node forgets its own history, and takes that of the others.
/// Its clients are told to go.
pub(super) fn restart() -> String {
    "rabbit:stop(), rabbit:start().".to_owned()
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", quoted.join(", "))
}
