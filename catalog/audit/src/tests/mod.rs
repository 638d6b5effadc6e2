//! Proves the crate on logs that are made here and then spoiled.

mod certificates;
mod golden;
mod heads;
mod keys;
mod lab;
mod large;
mod merkle;
mod proofs;
mod records;
mod tamper;
mod verifier;
