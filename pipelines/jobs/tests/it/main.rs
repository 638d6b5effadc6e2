//! Pipelines on a real engine, lake and catalog.

mod checks;
#[cfg(test)]
mod incremental;
#[cfg(test)]
mod lab;
mod recipes;
#[cfg(test)]
mod resume;
mod run;
