//! Whether a process is one of this machine's: a signal to a number means whoever bears it here.

use std::fs;

use super::Why;

/// The process of a node that has answered [`super::erlang::PLACE`], if it is in sight.
pub fn local_process(answer: &str) -> Result<String, Why> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let space = fs::read_link("/proc/self/ns/pid");
    let (Ok(boot), Ok(space)) = (boot, space) else {
        return Err("whether its process is on this machine cannot be told on this system".into());
    };
    let here = [boot.trim(), &space.to_string_lossy()].map(str::to_owned);
    local_to(&here, answer)
}

fn local_to(here: &[String; 2], answer: &str) -> Result<String, Why> {
    let mut words = answer.trim_matches('"').split_whitespace();
    let pid = process(words.next().unwrap_or_default())?;
    if words.eq(here.iter().map(String::as_str)) {
        return Ok(pid);
    }
    Err(format!("its process {pid} is on another machine, or in a container"))
}

/// The process id that a node says it has.
pub fn process(answer: &str) -> Result<String, Why> {
    let pid = answer.trim_matches('"');
    match pid.parse() {
        // The first process of a container takes no signal from within.
        Ok(1_i32) => Err("its process is the first of its container, which cannot be signalled \
                          from inside"
            .to_owned()),
        Ok(2..) => Ok(pid.to_owned()),
        _ => Err(format!("which process it is cannot be told from {answer:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_this_machine_is_taken_for_one() {
        let here = ["b-o-o-t", "pid:[1]"].map(str::to_owned);
        assert_eq!(local_to(&here, "\"4711 b-o-o-t pid:[1]\"").as_deref(), Ok("4711"));
        for answer in ["\"4711 other pid:[1]\"", "\"4711 b-o-o-t pid:[2]\"", "\"4711\""] {
            let why = local_to(&here, answer).unwrap_err();
            assert!(why.contains("on another machine, or in a container"), "{why}");
        }
        for answer in ["", "{badrpc,nodedown}", "\"0 b-o-o-t pid:[1]\"", "-1"] {
            assert!(local_to(&here, answer).unwrap_err().contains("cannot be told"), "{answer}");
        }
        assert!(process("\"1\"").unwrap_err().contains("from inside"));
        assert_eq!(process("\"23\"").as_deref(), Ok("23"));
    }
}
