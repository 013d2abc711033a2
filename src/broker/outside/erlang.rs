//! What a node is asked or told in its own language. All of it was tried on 3.10.8, 4.0.5 and
//! 4.3.6.

use crate::broker::control;
use crate::plan::model::Alarm;

/// The life of a node: its process, when that began, and RabbitMQ's own supervisor in it, which
/// goes and comes with the application.
pub const LIFE: &str = "lists:flatten(io_lib:format(\"~s ~b ~p\", [os:getpid(), \
     erlang:system_info(start_time) + erlang:time_offset(), whereis(rabbit_sup)])).";

/// Its process, as the machine numbers it that it runs on.
pub const PROCESS: &str = "os:getpid().";

/// The same, and what tells that machine from others: when its kernel booted, and which processes
/// are numbered together. (proc(5), namespaces(7).)
pub const PLACE: &str = "{ok, Boot} = file:read_file(\"/proc/sys/kernel/random/boot_id\"), \
     {ok, Space} = file:read_link(\"/proc/self/ns/pid\"), \
     os:getpid() ++ \" \" ++ string:trim(binary_to_list(Boot)) ++ \" \" ++ Space.";

/// What an alarm that was on already answers: the broker is really short of something.
pub const ALREADY: &str = "already";

/// Raises or clears a resource alarm, which is not ours to touch if the node has raised it itself.
pub fn alarm(alarm: Alarm, on: bool) -> String {
    let act = control::erlang::alarm(alarm, on);
    if !on {
        return act;
    }
    let source = match alarm {
        Alarm::Memory => "memory",
        Alarm::Disk => "disk",
    };
    format!(
        "case lists:keymember({{resource_limit, {source}, node()}}, 1, rabbit_alarm:get_alarms()) \
         of true -> {ALREADY}; false -> {} end.",
        act.trim_end_matches('.')
    )
}

/// It speaks another cookie to each peer that it is connected to, so neither lets the other in.
pub const PART: &str = "[begin erlang:set_cookie(N, rmq_scenario_parted), \
     erlang:disconnect_node(N) end || N <- nodes()].";

/// It speaks its own cookie to all its peers again.
pub const HEAL: &str = "[begin erlang:set_cookie(N, erlang:get_cookie()), \
     net_kernel:connect_node(N) end || N <- \
     case erlang:function_exported(rabbit_nodes, list_members, 0) of \
     true -> rabbit_nodes:list_members(); false -> rabbit_nodes:all() end, N =/= node()].";
