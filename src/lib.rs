//! A declarative scenario runner for RabbitMQ.
//!
//! The flow: [`scenario`] reads the file as it is written; [`plan`] says what it means, variant by
//! variant; [`broker`] is the world outside; [`run`] does what the plan says against it and tells
//! the [`ledger`] what happened; [`verdict`] decides what that proves; [`report`] tells it, and
//! [`bless`] writes it into the file; [`compare`] says what differs between two reports.
//! The stages scenario, plan, ledger, verdict, compare and bless are pure: no clock, no network, no async.

pub mod cli;
pub mod diagnostic;
pub mod scenario;
pub mod plan;
pub mod broker;
pub mod run;
pub mod ledger;
pub mod verdict;
pub mod compare;
pub mod report;
pub mod bless;
