//! Both stores: the contract, several writers, crashes, restarts, refusals.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

mod audit;
mod budget;
mod claims;
mod contract;
mod crash;
mod fixtures;
mod ledger_audit;
mod long_lineage;
mod long_outbox;
mod places;
mod refusals;
mod refusals_postgres;
mod restarts;
mod views;
mod writers;
