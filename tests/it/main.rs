//! The whole product, tested from outside: one binary, one module a concern.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod attempts;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod catalogs;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod denied;
#[cfg(test)]
mod docs;
#[cfg(test)]
#[cfg(feature = "failpoints")]
#[path = "../faults/mod.rs"]
mod faults;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod lineage_cli;
#[cfg(test)]
mod models;
#[cfg(test)]
mod noise;
#[cfg(test)]
mod openlineage;
#[cfg(test)]
mod parameters;
#[cfg(test)]
mod pipelines;
#[cfg(test)]
mod product;
#[cfg(test)]
mod schedulers;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod slt;
#[cfg(test)]
mod timeline;
#[cfg(test)]
mod veil;
