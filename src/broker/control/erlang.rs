//! What a node is asked to do in Erlang, where nothing else reaches it. The functions are
//! RabbitMQ's own; that they exist and do this on 3.10.8, 4.0.5 and 4.3.6 is measured.

use crate::plan::model::Alarm;

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
