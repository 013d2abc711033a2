//! What stands below the options of each command: examples and exit codes.

macro_rules! with_exit_codes {
    ($before:literal) => {
        concat!(
            $before,
            "\
Exit codes:
    0  every expectation held (or everything was skipped)
    1  an expectation did not hold, or something unexplained was seen
    2  the command line or a file is wrong; nothing was run
    3  the world failed: no broker, or a report could not be written
    4  inconclusive: nothing failed, but a fault did not bite or time was up
   70  the books do not balance: a bug of this program or of the broker
  130  interrupted; everything was cleaned up first"
        )
    };
}

pub const HELP: &str = with_exit_codes!("");

pub const BROKER_HELP: &str = "\
Exit codes:
    0  done; of `status`: it is up
    1  of `status`: none is up
    2  the command line is wrong, or another server's is up already
    3  the world failed: it does not come up, or does not answer";

pub const DOCTOR_HELP: &str = "\
Exit codes:
    0  scenarios can be run here
    1  they cannot; what to do is said
    2  the command line is wrong
    3  what was found could not be written";

pub const NEW_HELP: &str = "\
Exit codes:
  0  the file was written, or the templates listed
  2  the command line is wrong, there is no such template, or the file is there already
  3  the file could not be written";

pub const PLAN_HELP: &str = "\
Exit codes:
  0  the plan was shown
  2  the command line or a file is wrong
  3  the plan could not be written";

pub const COMPARE_HELP: &str = "\
Examples:
  rmq-scenario compare base.json new.json
      Tell what changed, and exit with 1 if something is worse.
  rmq-scenario compare 3.10.json 4.0.json 4.3.json
      Tell what differs between versions of RabbitMQ, a column for each.

Exit codes:
    0  nothing is worse than it was, though it may differ
    1  a regression
    2  the command line is wrong, or a file is not a report that can be compared
    3  what was found could not be written";

pub const CHECK_HELP: &str = "\
Exit codes:
    0  nothing is wrong (warnings do not count, unless they are denied)
    2  something is wrong with a file, or with the command line
    3  what was found could not be written";

pub const SCHEMA_HELP: &str = "\
Example:
  rmq-scenario schema > scenario.schema.json
      A file beside it is then completed and explained by the YAML language server
      if it begins with the line
      # yaml-language-server: $schema=scenario.schema.json

Exit codes:
    0  it is printed
    2  the command line is wrong
    3  it could not be written";

pub const RUN_HELP: &str = with_exit_codes!(
    "\
Examples:
  rmq-scenario run scenarios/work_queue.yaml
      Start a private RabbitMQ, run every variant of the file, end it again.
  rmq-scenario run --broker amqp://guest:guest@localhost --set ack=auto FILE
      Use a running broker, with another value for the file's variable `ack`.

"
);
