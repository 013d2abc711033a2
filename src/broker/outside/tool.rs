//! The tools, and the command lines for each act.

use super::erlang;
use super::running::{Line, quoted};
use super::{Act, Why, machine};
use crate::broker::control;
use crate::plan::model::{Alarm, StopHow};

/// What has a hand on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tool {
    /// docker or podman, and a container.
    Engine { program: &'static str, container: String },
    /// A unit of this machine's service manager.
    Systemd { unit: String },
    /// A pod of the RabbitMQ Cluster Operator, or any whose container is called `rabbitmq`.
    Kubectl { namespace: Option<String>, pod: String },
    /// RabbitMQ's own tool, which stops and starts the application in a process that lives on.
    Ctl { node: String },
    /// Whatever the user says: a line for the shell, with `{action}` left to fill in.
    Shell { template: String },
}

impl Tool {
    /// What is run for an act, one after another; the last one's words count. Nothing for what
    /// it cannot do. `pid` is that of the node's process where [`Tool::asks_process`] says so.
    pub fn lines(&self, act: Act, pid: &str) -> Vec<Line> {
        match self {
            // Whoever writes a template sees to it that `heal` heals.
            Tool::Shell { .. } if matches!(act, Act::IsSplit | Act::Rejoin) => Vec::new(),
            Tool::Shell { template } => vec![shell(template, act)],
            _ if act == Act::Rejoin => {
                vec![self.rabbitmqctl(&["stop_app"]), self.rabbitmqctl(&["start_app"])]
            }
            Tool::Engine { program, container } => {
                self.engine(program, container, act).unwrap_or_else(|| self.eval(act))
            }
            Tool::Systemd { unit } => systemd(unit, act).unwrap_or_else(|| self.eval(act)),
            Tool::Kubectl { .. } => self.pod(act, pid).unwrap_or_else(|| self.eval(act)),
            Tool::Ctl { .. } => self.app(act, pid).unwrap_or_else(|| self.eval(act)),
        }
    }

    /// The question for the node's process, where an act needs it.
    pub fn asks_process(&self, act: Act) -> Option<Line> {
        match (self, act) {
            (Tool::Kubectl { .. }, Act::Pause | Act::Stop(StopHow::Sigkill)) => {
                Some(self.erlang(erlang::PROCESS))
            }
            (Tool::Ctl { .. }, Act::Pause) => Some(self.erlang(erlang::PLACE)),
            _ => None,
        }
    }

    /// The process in the answer to that.
    pub fn process(&self, answer: &str) -> Result<String, Why> {
        match self {
            Tool::Ctl { .. } => machine::local_process(answer),
            _ => machine::process(answer),
        }
    }

    /// After a SIGKILL, whoever runs the pod starts it again: that is waited for.
    pub fn waits_for_start(&self) -> Option<Line> {
        let Tool::Kubectl { pod, .. } = self else { return None };
        let pod = format!("pod/{pod}");
        Some(self.kubectl(&["wait", "--for=condition=Ready", "--timeout=100s", &pod]))
    }

    /// What RabbitMQ's own tool does about it, by evaluating a sentence in the node.
    fn eval(&self, act: Act) -> Vec<Line> {
        let sentence = match act {
            Act::Alarm(alarm, on) => erlang::alarm(alarm, on),
            Act::Part => erlang::PART.to_owned(),
            Act::Heal => erlang::HEAL.to_owned(),
            Act::IsSplit => control::erlang::is_split(),
            Act::Who | Act::Stop(_) | Act::Start | Act::Pause | Act::Resume | Act::Rejoin => {
                erlang::LIFE.to_owned()
            }
        };
        vec![self.erlang(&sentence)]
    }

    fn erlang(&self, sentence: &str) -> Line {
        self.rabbitmqctl(&["eval", sentence])
    }

    fn rabbitmqctl(&self, words: &[&str]) -> Line {
        let all = [&["rabbitmqctl"], words].concat();
        match self {
            Tool::Engine { program, container } => {
                Line::new(&[&[*program, "exec", container], &*all].concat())
            }
            Tool::Kubectl { .. } => self.in_pod(&all),
            Tool::Ctl { node } => Line::new(&[&["rabbitmqctl", "--node", node], words].concat()),
            Tool::Systemd { .. } | Tool::Shell { .. } => Line::new(&all),
        }
    }

    fn engine(&self, program: &str, container: &str, act: Act) -> Option<Vec<Line>> {
        let line =
            |words: &[&str]| Some(vec![Line::new(&[&[program], words, &[container]].concat())]);
        match act {
            // The engine's own patience of 10 s is too short for a broker with much to write.
            Act::Stop(StopHow::Graceful) => line(&["stop", "-t", "90"]),
            Act::Stop(StopHow::Sigkill) => line(&["kill", "--signal", "KILL"]),
            Act::Start => line(&["start"]),
            Act::Who => line(&["inspect", "--format", "{{.State.Pid}} {{.State.StartedAt}}"]),
            Act::Pause => line(&["pause"]),
            Act::Resume => line(&["unpause"]),
            Act::Alarm(..) | Act::Part | Act::Heal | Act::IsSplit | Act::Rejoin => None,
        }
    }

    fn kubectl(&self, words: &[&str]) -> Line {
        match self {
            Tool::Kubectl { namespace: Some(namespace), .. } => {
                Line::new(&[&["kubectl", "--namespace", namespace], words].concat())
            }
            _ => Line::new(&[&["kubectl"], words].concat()),
        }
    }

    fn in_pod(&self, words: &[&str]) -> Line {
        let Tool::Kubectl { pod, .. } = self else { return Line::new(words) };
        self.kubectl(&[&["exec", pod, "--container", "rabbitmq", "--"], words].concat())
    }

    /// A pod that is deleted comes back at once, so a node that shall stay away for a while stays
    /// in its pod, without its application.
    fn pod(&self, act: Act, pid: &str) -> Option<Vec<Line>> {
        let signal =
            |signal: &str| Some(vec![self.in_pod(&["sh", "-c", &format!("kill -{signal} {pid}")])]);
        match act {
            Act::Stop(StopHow::Graceful) => Some(vec![self.rabbitmqctl(&["stop_app"])]),
            Act::Stop(StopHow::Sigkill) => signal("KILL"),
            Act::Start => Some(vec![self.rabbitmqctl(&["start_app"])]),
            Act::Pause => signal("STOP"),
            Act::Resume => signal("CONT"),
            Act::Who | Act::Alarm(..) | Act::Part | Act::Heal | Act::IsSplit | Act::Rejoin => None,
        }
    }

    fn app(&self, act: Act, pid: &str) -> Option<Vec<Line>> {
        let signal = |signal: &str| Some(vec![Line::new(&["kill", "-s", signal, pid])]);
        match act {
            Act::Stop(StopHow::Graceful) => Some(vec![self.rabbitmqctl(&["stop_app"])]),
            // Nobody could start it again.
            Act::Stop(StopHow::Sigkill) => Some(Vec::new()),
            Act::Start => Some(vec![self.rabbitmqctl(&["start_app"])]),
            Act::Pause => signal("STOP"),
            Act::Resume => signal("CONT"),
            Act::Who | Act::Alarm(..) | Act::Part | Act::Heal | Act::IsSplit | Act::Rejoin => None,
        }
    }
}

/// Nobody is asked for a password: the answer would have to come from a terminal.
fn systemd(unit: &str, act: Act) -> Option<Vec<Line>> {
    let line =
        |words: &[&str]| Line::new(&[&["systemctl", "--no-ask-password"], words, &[unit]].concat());
    Some(match act {
        Act::Stop(StopHow::Graceful) => vec![line(&["stop"])],
        // A unit may say that it is started again when it was killed: the second takes that back.
        Act::Stop(StopHow::Sigkill) => vec![line(&["kill", "--signal=SIGKILL"]), line(&["stop"])],
        Act::Start => vec![line(&["start"])],
        Act::Who => {
            vec![line(&[
                "show",
                "--property=MainPID",
                "--property=ExecMainStartTimestampMonotonic",
            ])]
        }
        Act::Pause => vec![line(&["kill", "--signal=SIGSTOP"])],
        Act::Resume => vec![line(&["kill", "--signal=SIGCONT"])],
        Act::Alarm(..) | Act::Part | Act::Heal | Act::IsSplit | Act::Rejoin => return None,
    })
}

fn shell(template: &str, act: Act) -> Line {
    let line = template.replace("{action}", &quoted(word(act)));
    Line::new(&["sh", "-c", &line])
}

/// What a template of the user's calls it.
fn word(act: Act) -> &'static str {
    match act {
        Act::Stop(StopHow::Graceful) => "stop",
        Act::Stop(StopHow::Sigkill) => "kill",
        Act::Start => "start",
        Act::Who => "id",
        Act::Pause => "pause",
        Act::Resume => "resume",
        Act::Alarm(Alarm::Memory, true) => "memory-alarm-on",
        Act::Alarm(Alarm::Memory, false) => "memory-alarm-off",
        Act::Alarm(Alarm::Disk, true) => "disk-alarm-on",
        Act::Alarm(Alarm::Disk, false) => "disk-alarm-off",
        Act::Part => "part",
        Act::Heal => "heal",
        // No template is asked that.
        Act::IsSplit | Act::Rejoin => "",
    }
}
